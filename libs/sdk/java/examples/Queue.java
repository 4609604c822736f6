import dev.drydock.BatchResult;
import dev.drydock.Drydock;
import dev.drydock.Submission;
import java.util.Objects;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;

/** Queues 1,000 programs, or as many as the first argument says, and shows progress as they end. */
final class Queue {
  public static void main(String[] arguments) {
    var count = arguments.length > 0 ? Integer.parseInt(arguments[0]) : 1_000;
    var submissions =
        IntStream.range(0, count)
            .mapToObj(
                i ->
                    Submission.of("python", "print(int(input()) ** 2)")
                        .stdin(String.valueOf(i))
                        .expectedOutput(String.valueOf((long) i * i)))
            .toList();
    try (var drydock = Drydock.create()) {
      var verdicts = new TreeMap<String, Integer>();
      var ended = new AtomicInteger();
      var ends =
          drydock.executions().batch(submissions).stream()
              .filter(BatchResult.Queued.class::isInstance)
              .map(result -> ((BatchResult.Queued) result).job().awaitAsync())
              .map(
                  end ->
                      end.thenAccept(
                          execution -> {
                            synchronized (verdicts) {
                              verdicts.merge(Objects.toString(execution.verdict(), "CANCELLED"), 1, Integer::sum);
                            }
                            var done = ended.incrementAndGet();
                            if (done % 100 == 0) System.err.println(done + " of " + count);
                          }))
              .toArray(CompletableFuture[]::new);
      CompletableFuture.allOf(ends).join();
      System.out.println(verdicts);
    }
  }
}
