package io.aulm.gateway.conformance;

import com.google.gson.JsonObject;
import java.io.IOException;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** The clients' conformance table, in Java: a test for each case, by its name. */
final class ConformanceTest {
  // Maven runs tests in the folder of the client.
  private static final Path TABLE = Path.of("../../tests/clients/conformance/cases.json");

  @TestFactory
  Stream<DynamicTest> conformance() throws IOException {
    Table table = Table.read(TABLE);
    return table.cases().stream()
        .map(each -> DynamicTest.dynamicTest(each.get("name").getAsString(), () -> run(table, each)));
  }

  private static void run(Table table, JsonObject given) throws Exception {
    String name = given.get("name").getAsString();
    String reason = Table.text(table.excluded(), name, null);
    if (reason != null) {
      System.out.println("skipped: " + name + ": " + reason);
      Assumptions.abort(reason);
    }
    ConformanceCase.run(table, given);
  }
}
