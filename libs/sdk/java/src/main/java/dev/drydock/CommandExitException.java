package dev.drydock;

/** A command exited with another code than 0, or by a signal, and {@link CommandOptions#check} was set. */
@SuppressWarnings("serial")
public final class CommandExitException extends DrydockException {
  private static final int SHOWN_CHARACTERS = 500;

  private final transient CommandResult result;

  CommandExitException(CommandResult result) {
    super(messageOf(result), ErrorDetails.of("COMMAND_EXIT"));
    this.result = result;
  }

  /** {@return what came of the command} */
  public CommandResult result() {
    return result;
  }

  private static String messageOf(CommandResult result) {
    var how = result.exitCode() == null ? "was ended by " + result.signal() : "exited with code " + result.exitCode();
    var why = result.stderr().strip();
    return "the command " + how + ": " + why.substring(Math.max(0, why.length() - SHOWN_CHARACTERS));
  }
}
