package dev.drydock;

import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;

/**
 * A client of the platform. It has one connection, made at the first call, which keeps no process alive. Its methods, and those of
 * all that it gives out, may be called from any thread.
 *
 * <p>Every method that calls the platform throws a {@link DrydockException}: {@link UnauthenticatedException},
 * {@link PermissionDeniedException}, {@link UnavailableException}, {@link DrydockTimeoutException}, {@link ClientClosedException}
 * or {@link CallInterruptedException} wherever that fits, and what the method itself names.
 */
public final class Drydock implements AutoCloseable {
  /** The version of this package. */
  public static final String VERSION = "0.1.0";

  private final Connection connection;

  private Drydock(Connection connection) {
    this.connection = connection;
  }

  /**
   * Makes a client from the environment, or a profile.
   *
   * @return a new client
   * @throws UnauthenticatedException if there is no key
   */
  public static Drydock create() {
    return create(options -> {});
  }

  /**
   * Makes a client.
   *
   * @param options sets where the platform is and how it is called
   * @return a new client
   * @throws InvalidArgumentException if the address is no URL of a platform, or a profile that is named does not exist
   * @throws UnauthenticatedException if there is no key
   */
  public static Drydock create(Consumer<DrydockOptions> options) {
    var given = new DrydockOptions();
    options.accept(given);
    var settings = Settings.resolve(given.url, given.apiKey, given.profile, System.getenv());
    var link = new Link(settings, given.authorities, given.maxRetries, given.executor);
    return new Drydock(new Connection(link, given.requestTimeout));
  }

  /**
   * Limits the time of calls. {@link DrydockTimeoutException} ends one that takes longer.
   *
   * @param timeout of one call with its repetitions, streams, files and programs that are awaited included
   * @return a client that shares the connection of this one, and ends with it
   */
  public Drydock withRequestTimeout(Duration timeout) {
    return new Drydock(connection.withRequestTimeout(timeout));
  }

  /**
   * Runs a program of one file now, and answers when it has ended. As {@link Executions#run}.
   *
   * @param language a name of {@link Templates#languages}
   * @param source the program
   * @return what came of it
   */
  public Execution run(String language, String source) {
    return run(language, source, program -> {});
  }

  /**
   * Runs a program of one file now, and answers when it has ended. As {@link Executions#run}.
   *
   * @param language a name of {@link Templates#languages}
   * @param source the program
   * @param options sets input, limits and what is expected
   * @return what came of it
   */
  public Execution run(String language, String source, Consumer<Program> options) {
    return executions().run(program -> options.accept(program.language(language).source(source)));
  }

  /**
   * Runs a program of one file. As {@link Executions#runAsync}.
   *
   * @param language a name of {@link Templates#languages}
   * @param source the program
   * @return what comes of it; cancelling the future ends the program
   */
  public CompletableFuture<Execution> runAsync(String language, String source) {
    return runAsync(language, source, program -> {});
  }

  /**
   * Runs a program of one file. As {@link Executions#runAsync}.
   *
   * @param language a name of {@link Templates#languages}
   * @param source the program
   * @param options sets input, limits and what is expected
   * @return what comes of it; cancelling the future ends the program
   */
  public CompletableFuture<Execution> runAsync(String language, String source, Consumer<Program> options) {
    return executions().runAsync(program -> options.accept(program.language(language).source(source)));
  }

  /** {@return programs, run to a verdict} */
  public Executions executions() {
    return new Executions(connection);
  }

  /** {@return the sandboxes of the organisation} */
  public Sandboxes sandboxes() {
    return new Sandboxes(connection);
  }

  /** {@return bytes that are sent once and named by their hash from then on} */
  public Blobs blobs() {
    return new Blobs(connection);
  }

  /** {@return the data of problems, which judge programs} */
  public TestSets testSets() {
    return new TestSets(connection);
  }

  /** {@return what sandboxes can be made of, and which languages run} */
  public Templates templates() {
    return new Templates(connection);
  }

  /** {@return the API keys of the organisation} */
  public ApiKeys apiKeys() {
    return new ApiKeys(connection);
  }

  /** {@return organisations, for operators} */
  public Organizations organizations() {
    return new Organizations(connection);
  }

  /** {@return where the organisation hears of executions that have ended} */
  public Webhooks webhooks() {
    return new Webhooks(connection);
  }

  /** Ends the connection with all that is under way on it. That, and every later call, fails with {@link ClientClosedException}. */
  @Override
  public void close() {
    connection.link().close();
  }
}
