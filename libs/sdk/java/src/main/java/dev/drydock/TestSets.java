package dev.drydock;

import dev.drydock.Connection.Kind;
import dev.drydock.internal.v1.DeleteTestSetRequest;
import dev.drydock.internal.v1.GetTestSetRequest;
import dev.drydock.internal.v1.ImportTestSetRequest;
import dev.drydock.internal.v1.ListTestSetsRequest;
import dev.drydock.internal.v1.TestSetServiceGrpc;
import java.util.function.Consumer;

/** Data of problems, registered once: a program that names a test set carries its source alone. */
public final class TestSets {
  private final Connection connection;

  TestSets(Connection connection) {
    this.connection = connection;
  }

  /**
   * Registers a test set.
   *
   * @param name to 128 characters; several test sets may have the same
   * @param testSet adds its cases, and sets how programs are judged by them
   * @return the test set, whose cases name blobs
   * @throws InvalidArgumentException if an option is out of range, or there is no such language ({@code LANGUAGE_NOT_FOUND})
   * @throws NotFoundException if a blob is not there ({@code BLOB_NOT_FOUND})
   * @throws QuotaExceededException if the organisation has 10,000, or keeps as many bytes as it may
   */
  public TestSet create(String name, Consumer<TestSetOptions> testSet) {
    var given = new TestSetOptions();
    testSet.accept(given);
    var request = given.request.setName(name).setRequestId(RequestIds.create()).build();
    return TestSet.of(
        connection.unary(TestSetServiceGrpc.getCreateTestSetMethod(), request, Kind.SAFE).getTestSet());
  }

  /**
   * Registers the test set of a package, under the package's name.
   *
   * @param zip as of {@link #importPackage(byte[], Consumer)}
   * @return the test set, and what of the package has no meaning
   */
  public ImportedTestSet importPackage(byte[] zip) {
    return importPackage(zip, options -> {});
  }

  /**
   * Registers the test set of a package. The call is made once.
   *
   * @param zip a problem package of Kattis or ICPC, or pairs of {@code *.in} and {@code *.ans} or {@code *.out}; to 256 MiB, 20,000
   *     entries, and 1 GiB unpacked
   * @param options sets what it is called
   * @return the test set, and what of the package has no meaning
   * @throws InvalidArgumentException if it is no such package ({@code PACKAGE_INVALID}), or has what the platform does not do
   *     ({@code PACKAGE_UNSUPPORTED}); the field violations name files and keys
   * @throws QuotaExceededException if the organisation has 10,000, or keeps as many bytes as it may
   */
  public ImportedTestSet importPackage(byte[] zip, Consumer<ImportOptions> options) {
    var given = new ImportOptions();
    options.accept(given);
    var head = given.request.build();
    Connection.Source<ImportTestSetRequest> source =
        call -> {
          call.send(head);
          Pieces.send(call, zip, data -> ImportTestSetRequest.newBuilder().setData(data).build());
        };
    var answer = connection.upload(TestSetServiceGrpc.getImportTestSetMethod(), source, Kind.LASTING_UNSAFE);
    return new ImportedTestSet(
        TestSet.of(answer.getTestSet()), answer.getNotesList().stream().map(ImportedTestSet.Note::of).toList());
  }

  /**
   * Tells of one test set, with its cases.
   *
   * @param id of the test set
   * @return the test set
   * @throws NotFoundException if there is no such test set
   */
  public TestSet get(String id) {
    var request = GetTestSetRequest.newBuilder().setTestSetId(id).build();
    return TestSet.of(connection.unary(TestSetServiceGrpc.getGetTestSetMethod(), request, Kind.SAFE).getTestSet());
  }

  /** {@return test sets without cases and checker, newest first} */
  public Paged<TestSet> list() {
    return list("");
  }

  /**
   * Lists test sets of one name.
   *
   * @param name of all of them
   * @return test sets without cases and checker, newest first
   */
  public Paged<TestSet> list(String name) {
    return new Paged<>(
        pageToken -> {
          var request = ListTestSetsRequest.newBuilder().setName(name).setPageToken(pageToken).build();
          var answer = connection.unary(TestSetServiceGrpc.getListTestSetsMethod(), request, Kind.SAFE);
          return new Paged.Page<>(
              answer.getTestSetsList().stream().map(TestSet::of).toList(), answer.getNextPageToken());
        });
  }

  /**
   * Deletes a test set. Executions that were submitted before still have it until they end.
   *
   * @param id of the test set
   * @throws NotFoundException if there is no such test set
   */
  public void delete(String id) {
    var request = DeleteTestSetRequest.newBuilder().setTestSetId(id).build();
    connection.unary(TestSetServiceGrpc.getDeleteTestSetMethod(), request, Kind.UNSAFE);
  }
}
