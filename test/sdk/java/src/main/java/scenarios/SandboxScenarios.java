package scenarios;

import dev.drydock.ConflictException;
import dev.drydock.FileType;
import dev.drydock.NotFoundException;
import dev.drydock.PermissionDeniedException;
import dev.drydock.QuotaExceededException;
import dev.drydock.SandboxInfo;
import dev.drydock.SandboxNotRunningException;
import dev.drydock.SandboxState;
import dev.drydock.StopReason;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.SequenceInputStream;
import java.nio.file.Files;
import java.time.Duration;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/** Sandboxes and their files. */
final class SandboxScenarios {
  private SandboxScenarios() {}

  static final Map<String, Scenario> ALL =
      Main.scenarios(
          "sandbox-scope", (Scenario) SandboxScenarios::sandboxScope,
          "sandbox-connect", (Scenario) SandboxScenarios::sandboxConnect,
          "sandbox-list", (Scenario) SandboxScenarios::sandboxList,
          "sandbox-update", (Scenario) SandboxScenarios::sandboxUpdate,
          "sandbox-gone", (Scenario) SandboxScenarios::sandboxGone,
          "unknown-template", (Scenario) SandboxScenarios::unknownTemplate,
          "quota", (Scenario) SandboxScenarios::quota,
          "files-text", (Scenario) SandboxScenarios::filesText,
          "files-stream", (Scenario) SandboxScenarios::filesStream,
          "files-tree", (Scenario) SandboxScenarios::filesTree,
          "files-missing", (Scenario) SandboxScenarios::filesMissing);

  private static final int MIB = 1024 * 1024;
  private static final String NOBODY = "sbx_01jv0000000000000000000000";

  private static void sandboxScope() {
    try (var tenant = Tenant.open()) {
      var sandboxes = tenant.drydock().sandboxes();
      String id;
      try (var sandbox =
          sandboxes.create(
              "python", options -> options.lifetime(Duration.ofMinutes(1)).limits(limits -> limits.cpus(0.25)))) {
        id = sandbox.id();
        Checks.equal(SandboxState.RUNNING, sandbox.info().state());
        Checks.equal("python", sandbox.info().template());
        Checks.equal(0.25, sandbox.info().limits().cpus());
      }
      Checks.equal(SandboxState.STOPPED, sandboxes.get(id).state());
      Checks.equal(StopReason.DELETED, sandboxes.get(id).stopReason());
      try (var sandbox = sandboxes.create("python", options -> options.keep())) {
        id = sandbox.id();
      }
      Checks.equal(SandboxState.RUNNING, sandboxes.get(id).state());
    }
  }

  private static void sandboxConnect() {
    try (var tenant = Tenant.open()) {
      var sandboxes = tenant.drydock().sandboxes();
      var sandbox = tenant.sandbox();
      sandbox.files().write("kept", "yes");
      Checks.equal("yes", sandboxes.connect(sandbox.id()).files().read("kept"));
      Checks.that(sandbox.kill(), "it existed");
      Checks.fails(SandboxNotRunningException.class, () -> sandboxes.connect(sandbox.id()));
      Checks.fails(NotFoundException.class, () -> sandboxes.connect(NOBODY));
    }
  }

  private static void sandboxList() {
    try (var tenant = Tenant.open()) {
      var sandboxes = tenant.drydock().sandboxes();
      var ids =
          Stream.of("blue", "red")
              .map(
                  colour ->
                      sandboxes.create("python", options -> options.metadata("colour", colour).keep()).id())
              .toList();
      var found =
          sandboxes.list(filter -> filter.metadata("colour", "blue").states(SandboxState.RUNNING)).stream()
              .map(SandboxInfo::id)
              .toList();
      Checks.equal(ids.subList(0, 1), found);
      Checks.equal(2L, sandboxes.list().stream().count());
    }
  }

  private static void sandboxUpdate() {
    try (var tenant = Tenant.open()) {
      var sandbox = tenant.sandbox();
      var expireTime = sandbox.info().expireTime();
      var updated =
          sandbox.update(changes -> changes.lifetime(Duration.ofHours(2)).metadata(Map.of("step", "2")));
      Checks.equal(Map.of("step", "2"), updated.metadata());
      Checks.that(updated.expireTime().isAfter(expireTime.plus(Duration.ofHours(1))), updated.expireTime());
    }
  }

  private static void sandboxGone() {
    try (var tenant = Tenant.open()) {
      var sandbox = tenant.sandbox();
      Checks.that(sandbox.kill(), "it existed");
      Checks.fails(SandboxNotRunningException.class, () -> sandbox.commands().run("true"));
      Checks.fails(SandboxNotRunningException.class, () -> sandbox.files().read("x"));
      Checks.that(sandbox.kill(), "it is known");
      Checks.equal(StopReason.DELETED, sandbox.refresh().stopReason());
    }
  }

  private static void unknownTemplate() {
    try (var tenant = Tenant.open()) {
      var error = Checks.fails(NotFoundException.class, () -> tenant.drydock().sandboxes().create("nope"));
      Checks.equal("TEMPLATE_NOT_FOUND", error.reason());
    }
  }

  private static void quota() {
    try (var tenant = Tenant.open(quota -> quota.concurrentSandboxes(1), options -> options.maxRetries(0))) {
      var sandboxes = tenant.drydock().sandboxes();
      try (var first = sandboxes.create("python")) {
        Checks.that(first.info().state() == SandboxState.RUNNING, first.info());
        Checks.fails(QuotaExceededException.class, () -> sandboxes.create("python"));
      }
    }
  }

  private static void filesText() {
    try (var tenant = Tenant.open()) {
      var files = tenant.sandbox().files();
      var text = "ünï\u0000🙂";
      var written = files.write("a/b/text", text, options -> options.mode(0600));
      Checks.equal(List.of("text", FileType.FILE, 0600), List.of(written.name(), written.type(), written.mode()));
      Checks.equal(text, files.read("a/b/text"));
      var bytes = new byte[256];
      for (var i = 0; i < bytes.length; i++) bytes[i] = (byte) i;
      files.write("bytes", bytes);
      Checks.that(Arrays.equals(bytes, files.readBytes("bytes")), "the same bytes");
      var part = files.readBytes("bytes", options -> options.offsetBytes(254).lengthBytes(1));
      Checks.that(Arrays.equals(new byte[] {(byte) 254}, part), "one byte");
      files.write("empty", "");
      Checks.equal("", files.read("empty"));
      var all =
          files.writeFiles(
              set -> IntStream.range(0, 10).forEach(i -> set.add("many/" + i, String.valueOf(i))));
      Checks.equal(10, all.size());
      Checks.equal("9", files.read("many/9"));
    }
  }

  private static void filesStream() throws IOException {
    try (var tenant = Tenant.open();
        var sandbox =
            tenant
                .drydock()
                .sandboxes()
                .create(
                    "python",
                    options -> options.limits(limits -> limits.memoryBytes(256 * MIB).diskBytes(64 * MIB).cpus(2)))) {
      var files = sandbox.files();
      var pieces = IntStream.range(0, 32).mapToObj(SandboxScenarios::piece).toList();
      var content = new SequenceInputStream(Collections.enumeration(pieces));
      Checks.equal(32L * MIB, files.write("large", content).sizeBytes());
      var at = 0;
      try (var stream = files.readStream("large")) {
        for (var piece = stream.readNBytes(MIB); piece.length > 0; piece = stream.readNBytes(MIB)) {
          Checks.equal((byte) (at / MIB), piece[0]);
          Checks.equal((byte) (at / MIB), piece[piece.length - 1]);
          at += piece.length;
        }
      }
      Checks.equal(32 * MIB, at);
      // A reader that leaves ends the call.
      try (var stream = files.readStream("large")) {
        Checks.equal(0, stream.read());
      }
      var local = Files.createTempFile("drydock-", null);
      try {
        files.readTo("large", local);
        Checks.equal(32L * MIB, Files.size(local));
        files.remove("large");
        Checks.equal(32L * MIB, files.write("again", local).sizeBytes());
        files.remove("again");
        try (var stream = files.writeStream("piped")) {
          Files.copy(local, stream);
        }
        Checks.equal(32L * MIB, files.getInfo("piped").sizeBytes());
      } finally {
        Files.delete(local);
      }
    }
  }

  private static InputStream piece(int value) {
    var bytes = new byte[MIB];
    Arrays.fill(bytes, (byte) value);
    return new ByteArrayInputStream(bytes);
  }

  private static void filesTree() {
    try (var tenant = Tenant.open()) {
      var files = tenant.sandbox().files();
      files.makeDir("src/deep");
      files.write("src/one", "1");
      Checks.equal(
          List.of("deep DIRECTORY", "one FILE"),
          files.list("src").stream().map(each -> each.name() + " " + each.type()).toList());
      Checks.that(files.rename("src/one", "other/two").path().endsWith("other/two"), "it was moved");
      Checks.equal(List.of(false, true), List.of(files.exists("src/one"), files.exists("other/two")));
      Checks.fails(ConflictException.class, () -> files.remove("src"));
      files.removeAll("src");
      Checks.that(!files.exists("src"), "it was removed");
    }
  }

  private static void filesMissing() {
    try (var tenant = Tenant.open()) {
      var files = tenant.sandbox().files();
      List<Scenario> calls =
          List.of(
              () -> files.read("nope"),
              () -> files.readStream("nope").close(),
              () -> files.getInfo("nope"),
              () -> files.list("nope").stream().count(),
              () -> files.remove("nope"));
      for (var call : calls) Checks.equal("FILE_NOT_FOUND", Checks.fails(NotFoundException.class, call).reason());
      Checks.fails(PermissionDeniedException.class, () -> files.write("/etc/passwd", "x"));
      Checks.fails(ConflictException.class, () -> files.read("/etc"));
    }
  }
}
