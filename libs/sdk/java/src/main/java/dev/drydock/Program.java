package dev.drydock;

/** A program that is run now. */
public final class Program extends ProgramOptions<Program> {
  Program() {}

  @Override
  Program self() {
    return this;
  }
}
