package dev.drydock;

import io.grpc.Deadline;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Base64;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.LongSupplier;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Exchanges an API key for short-lived tokens, one at a time, each before the last one ends. The lifetime is the token's own and
 * counts from its arrival, because the clock of this machine may be wrong. A credential that is a token already is sent as it is.
 */
final class Tokens {
  /** Of a token whose lifetime cannot be read. */
  private static final Duration DEFAULT_LIFETIME = Duration.ofMinutes(5);
  /** The part of its lifetime after which a token is exchanged anew. */
  private static final double FRESH = 0.8;

  private static final Pattern TIMES = Pattern.compile("\"(iat|exp)\"\\s*:\\s*(\\d{1,12})");

  interface Exchange {
    String exchange(@Nullable Deadline deadline) throws InterruptedException;
  }

  private record Token(String text, long freshUntilNanos) {}

  private final String apiKey;
  private final Exchange exchange;
  private final LongSupplier nanoTime;
  private final ReentrantLock exchanging = new ReentrantLock();
  private volatile @Nullable Token current;

  Tokens(String apiKey, Exchange exchange, LongSupplier nanoTime) {
    this.apiKey = apiKey;
    this.exchange = exchange;
    this.nanoTime = nanoTime;
  }

  /** The credential to send. Who waits longer than {@code deadline} gets a {@link DrydockTimeoutException}. */
  String get(@Nullable Deadline deadline) throws InterruptedException {
    if (!apiKey.startsWith("dk_")) return apiKey;
    var token = current;
    if (isFresh(token)) return token.text();
    var locked =
        deadline == null
            ? lock()
            : exchanging.tryLock(Math.max(0, deadline.timeRemaining(TimeUnit.NANOSECONDS)), TimeUnit.NANOSECONDS);
    if (!locked) throw new DrydockTimeoutException("no answer within the request timeout");
    try {
      token = current;
      if (isFresh(token)) return token.text();
      var text = exchange.exchange(deadline);
      var freshNanos = (long) (FRESH * lifetimeOf(text).toNanos());
      current = new Token(text, nanoTime.getAsLong() + freshNanos);
      return text;
    } finally {
      exchanging.unlock();
    }
  }

  /** The platform refused this credential. Tells whether another one may be had. */
  boolean refused(String credential) {
    if (credential.equals(apiKey)) return false;
    var token = current;
    if (token != null && token.text().equals(credential)) current = null;
    return true;
  }

  private boolean lock() throws InterruptedException {
    exchanging.lockInterruptibly();
    return true;
  }

  private boolean isFresh(@Nullable Token token) {
    return token != null && nanoTime.getAsLong() - token.freshUntilNanos() < 0;
  }

  static Duration lifetimeOf(String token) {
    var parts = token.split("\\.", -1);
    if (parts.length != 3) return DEFAULT_LIFETIME;
    String payload;
    try {
      payload = new String(Base64.getUrlDecoder().decode(parts[1]), StandardCharsets.UTF_8);
    } catch (IllegalArgumentException notBase64) {
      return DEFAULT_LIFETIME;
    }
    long issued = 0;
    long expires = 0;
    for (var times = TIMES.matcher(payload); times.find(); ) {
      var seconds = Long.parseLong(times.group(2));
      if (times.group(1).equals("iat")) issued = seconds;
      else expires = seconds;
    }
    return issued > 0 && expires > issued ? Duration.ofSeconds(expires - issued) : DEFAULT_LIFETIME;
  }
}
