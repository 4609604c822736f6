import static java.nio.charset.StandardCharsets.UTF_8;

import dev.drydock.Sandbox;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;

/** Talks to a shell on a terminal. With one of your own, pass its input on: {@code terminal.write(bytes)}. */
final class LiveTerminal {
  public static void main(String[] arguments) throws InterruptedException {
    var shown = new StringBuffer();
    var sized = new CountDownLatch(1);
    try (var sandbox = Sandbox.create("python", options -> options.lifetime(Duration.ofMinutes(10)));
        var terminal =
            sandbox
                .pty()
                .create(
                    24,
                    80,
                    options ->
                        options.onData(
                            data -> {
                              System.out.write(data, 0, data.length);
                              if (shown.append(new String(data, UTF_8)).indexOf("24 80") >= 0) sized.countDown();
                            }))) {
      terminal.write("stty size\n");
      sized.await();
      terminal.resize(50, 120);
      terminal.write("stty size; exit\n");
      System.out.println("the shell ended with " + terminal.await().exitCode());
    }
  }
}
