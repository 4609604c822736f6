package scenarios;

/** Shows one thing that every SDK can do, or throws. */
interface Scenario {
  void run() throws Exception;
}
