package dev.drydock;

import io.grpc.Metadata;
import io.opentelemetry.api.trace.propagation.W3CTraceContextPropagator;
import io.opentelemetry.context.Context;

/** Passes the W3C trace context of the caller on, where the program has OpenTelemetry, which this package does not bring. */
final class Traces {
  private static final boolean PRESENT = isPresent();

  private Traces() {}

  static void addTo(Metadata headers) {
    if (PRESENT) W3c.addTo(headers);
  }

  private static boolean isPresent() {
    try {
      Class.forName("io.opentelemetry.api.trace.propagation.W3CTraceContextPropagator", false, Traces.class.getClassLoader());
      return true;
    } catch (ClassNotFoundException absent) {
      return false;
    }
  }

  /** Loaded only where its imports are there. */
  private static final class W3c {
    static void addTo(Metadata headers) {
      W3CTraceContextPropagator.getInstance()
          .inject(
              Context.current(),
              headers,
              (carrier, name, value) -> {
                if (carrier != null) carrier.put(Metadata.Key.of(name, Metadata.ASCII_STRING_MARSHALLER), value);
              });
    }
  }
}
