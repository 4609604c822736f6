package dev.drydock;

import dev.drydock.internal.v1.SubmitExecutionRequest;

/** A program for the queue. */
public final class Submission extends ProgramOptions<Submission> {
  private int priority;

  /** Makes a submission that has nothing set. */
  public Submission() {}

  /**
   * Makes a submission of one file.
   *
   * @param language a name of {@link Templates#languages}
   * @param source the program
   * @return the submission
   */
  public static Submission of(String language, String source) {
    return new Submission().language(language).source(source);
  }

  /**
   * Sets its place among the organisation's own.
   *
   * @param priority higher goes first; -100 to 100, default 0
   * @return this submission
   */
  public Submission priority(int priority) {
    this.priority = priority;
    return this;
  }

  /** With an id of its own, which makes the call safe to repeat. */
  SubmitExecutionRequest toRequest() {
    return Executions.<SubmitExecutionRequest.Builder>copy(request, SubmitExecutionRequest.newBuilder())
        .setPriority(priority)
        .setRequestId(RequestIds.create())
        .build();
  }

  @Override
  Submission self() {
    return this;
  }
}
