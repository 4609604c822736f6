package dev.drydock;

/** The client of what is called without one: made once, from the environment or the profile. */
final class EnvironmentClient {
  private EnvironmentClient() {}

  private static final class Holder {
    static final Drydock CLIENT = Drydock.create();
  }

  static Drydock get() {
    return Holder.CLIENT;
  }
}
