package dev.drydock;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.Executor;
import org.jspecify.annotations.Nullable;

/** Options of a client. */
public final class DrydockOptions {
  private static final int DEFAULT_RETRIES = 10;

  @Nullable String url;
  @Nullable String apiKey;
  @Nullable String profile;
  byte @Nullable [] authorities;
  int maxRetries = DEFAULT_RETRIES;
  @Nullable Duration requestTimeout;
  @Nullable Executor executor;

  DrydockOptions() {}

  /**
   * Sets where the platform is. {@code https:} means TLS.
   *
   * @param url default: that of a {@link #profile} that is given, {@code DRYDOCK_URL}, that of the profile of the environment,
   *     {@code http://127.0.0.1:8080}
   * @return these options
   */
  public DrydockOptions url(String url) {
    this.url = url;
    return this;
  }

  /**
   * Sets the credential.
   *
   * @param apiKey an API key, which is exchanged for tokens, or a token; default: as of {@link #url}, with {@code DRYDOCK_API_KEY}
   * @return these options
   */
  public DrydockOptions apiKey(String apiKey) {
    this.apiKey = apiKey;
    return this;
  }

  /**
   * Takes address and key from a profile of {@code ~/.config/drydock/config.toml}.
   *
   * @param profile a name that is in the file; default: {@code DRYDOCK_PROFILE}, or {@code default}, which the environment wins over
   * @return these options
   */
  public DrydockOptions profile(String profile) {
    this.profile = profile;
    return this;
  }

  /**
   * Trusts these authorities instead of the system's.
   *
   * @param certificates PEM
   * @return these options
   */
  public DrydockOptions ca(byte[] certificates) {
    this.authorities = certificates.clone();
    return this;
  }

  /**
   * Trusts the authorities of a file instead of the system's.
   *
   * @param certificates a file of certificates, PEM
   * @return these options
   * @throws UncheckedIOException if it cannot be read
   */
  public DrydockOptions ca(Path certificates) {
    try {
      this.authorities = Files.readAllBytes(certificates);
    } catch (IOException error) {
      throw new UncheckedIOException(error);
    }
    return this;
  }

  /**
   * Sets how often a call that is safe to repeat is made again, with growing waits.
   *
   * @param retries 0 for never; default 10
   * @return these options
   */
  public DrydockOptions maxRetries(int retries) {
    if (retries < 0) throw InvalidArgumentException.of("maxRetries", "must be 0 or more");
    this.maxRetries = retries;
    return this;
  }

  /**
   * Limits every call, as {@link Drydock#withRequestTimeout}.
   *
   * @param timeout of one call with its repetitions; default 60 s, and none for streams, files and calls that await a program
   * @return these options
   */
  public DrydockOptions requestTimeout(Duration timeout) {
    this.requestTimeout = Times.positive("requestTimeout", timeout);
    return this;
  }

  /**
   * Runs calls of which the caller has a future, terminals and timeouts. They block, so that a pool of fixed size limits how many
   * there are.
   *
   * @param executor such as {@code Executors.newVirtualThreadPerTaskExecutor()}; default: as many daemon threads as there are calls
   * @return these options
   */
  public DrydockOptions executor(Executor executor) {
    this.executor = executor;
    return this;
  }
}
