package dev.drydock;

import java.util.List;
import java.util.function.Consumer;

/** Test cases that earn points together. */
public final class TestGroup {
  final dev.drydock.internal.v1.TestGroup.Builder message = dev.drydock.internal.v1.TestGroup.newBuilder();

  TestGroup(String name) {
    message.setName(name);
  }

  static dev.drydock.internal.v1.TestGroup.Builder built(String name, Consumer<TestGroup> group) {
    var given = new TestGroup(name);
    group.accept(given);
    return given.message;
  }

  /** How the cases of a group make its score. */
  public enum Aggregation {
    /** The default: the group's points if all its cases were accepted, else none. */
    ALL_OR_NOTHING,
    /** The lowest score of its cases. */
    MIN,
    /** The sum of its cases' scores. */
    SUM
  }

  /** What a case that scored nothing means for those after it in its group. */
  public enum OnFailure {
    /** The default: they are run all the same. */
    CONTINUE,
    /** They are skipped. */
    STOP
  }

  /**
   * Sets the most that the group earns.
   *
   * @param points 0 to 1e9; default: what its cases can earn by its aggregation
   * @return this group
   */
  public TestGroup points(double points) {
    message.setPoints(points);
    return this;
  }

  /**
   * Sets how the cases make the group's score.
   *
   * @param aggregation default {@link Aggregation#ALL_OR_NOTHING}
   * @return this group
   */
  public TestGroup aggregation(Aggregation aggregation) {
    message.setAggregation(dev.drydock.internal.v1.TestGroup.Aggregation.valueOf(aggregation.name()));
    return this;
  }

  /**
   * Sets whether cases are run after one that scored nothing.
   *
   * @param onFailure default {@link OnFailure#CONTINUE}
   * @return this group
   */
  public TestGroup onFailure(OnFailure onFailure) {
    message.setOnFailure(dev.drydock.internal.v1.TestGroup.OnFailure.valueOf(onFailure.name()));
    return this;
  }

  /**
   * Adds groups that are run before this one. Where a case of theirs was not accepted, its own are skipped.
   *
   * @param groups their names; at most 100, and no circle of them; default: none
   * @return this group
   */
  public TestGroup dependsOn(String... groups) {
    message.addAllDependsOn(List.of(groups));
    return this;
  }
}
