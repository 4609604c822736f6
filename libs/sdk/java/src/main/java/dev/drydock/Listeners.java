package dev.drydock;

import java.util.function.Consumer;

/** Who hears the output of a command, and how much of it is kept. */
record Listeners(Consumer<CommandEvent.Output> onStdout, Consumer<CommandEvent.Output> onStderr, int keptBytes) {
  private static final int DEFAULT_KEPT_BYTES = 16 * 1024 * 1024;
  static final Listeners DEFAULT = new Listeners(event -> {}, event -> {}, DEFAULT_KEPT_BYTES);

  Listeners withStdout(Consumer<CommandEvent.Output> listener) {
    return new Listeners(listener, onStderr, keptBytes);
  }

  Listeners withStderr(Consumer<CommandEvent.Output> listener) {
    return new Listeners(onStdout, listener, keptBytes);
  }

  Listeners withKeptBytes(int bytes) {
    if (bytes < 0) throw InvalidArgumentException.of("keptBytes", "must be 0 or more");
    return new Listeners(onStdout, onStderr, bytes);
  }

  void hear(CommandEvent.Output output) {
    (output instanceof CommandEvent.Stdout ? onStdout : onStderr).accept(output);
  }
}
