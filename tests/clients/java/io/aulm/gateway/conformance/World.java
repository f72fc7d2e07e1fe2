package io.aulm.gateway.conformance;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.BufferedReader;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.function.Supplier;

/** The gateway, the simulator and a store for one test, as real processes; nothing outlives the test. */
final class World implements AutoCloseable {
  private final HttpClient http = HttpClient.newHttpClient();
  private final Map<String, String> gatewayListens = new HashMap<>();
  private final Map<String, String> simulatorListens = new HashMap<>();
  private final Process simulator;
  private Process gateway;
  private int stores;
  final Path folder = Files.createTempDirectory("aulm-client-");

  World(List<String> simulatorArguments) throws Exception {
    List<String> command = new ArrayList<>(List.of(program("aulm-simulator"), "--listen=127.0.0.1:0"));
    command.addAll(List.of("--exit-when-stdin-closes", "--webhook-concurrency=1", "--statuses="));
    command.addAll(List.of("--retry-base-ms=50", "--retry-max-ms=200"));
    command.addAll(simulatorArguments);
    simulator = start(new ProcessBuilder(command), simulatorListens, "aulm");
    startGateway(false);
    control(
        "PUT", "webhooks",
        "{\"account\":\"default\",\"url\":\"http://" + gatewayListens.get("webhook") + "/webhooks/aulm\"}");
  }

  private static String program(String name) {
    String folder = System.getenv("AULM_GATEWAY_BIN");
    return (folder == null ? "../../build/dev/bin" : folder) + "/" + name;
  }

  private static Process start(ProcessBuilder builder, Map<String, String> listens, String last) throws IOException {
    Process process = builder.redirectError(ProcessBuilder.Redirect.DISCARD).start();
    BufferedReader lines = process.inputReader();
    for (String line = lines.readLine(); line != null; line = lines.readLine()) {
      String[] words = line.split(" ");
      if (words[0].equals("listening")) {
        listens.put(words[1], words[2]);
        if (words[1].equals(last)) {
          return process;
        }
      }
    }
    throw new IOException(builder.command().get(0) + " ended before it listened");
  }

  String target() {
    return gatewayListens.get("grpc");
  }

  void startGateway(boolean emptyStore) throws IOException {
    stores += emptyStore ? 1 : 0;
    ProcessBuilder builder = new ProcessBuilder(program("aulm-gateway"));
    Map<String, String> environment = builder.environment();
    environment.put("AULM_BASE_URL", "http://" + simulatorListens.get("aulm"));
    environment.put("AULM_API_KEY", "alm_sk_test_simulator");
    environment.put("AULM_WEBHOOK_SECRET", "whsec_simulator");
    environment.put("GATEWAY_STORE", "sqlite://" + folder + "/store" + stores);
    for (String name : List.of("grpc", "webhook", "admin")) {
      environment.put("GATEWAY_" + name.toUpperCase() + "_LISTEN", gatewayListens.getOrDefault(name, "127.0.0.1:0"));
    }
    gateway = start(builder, gatewayListens, "admin");
  }

  void signalGateway(String signal) throws Exception {
    new ProcessBuilder("kill", "-" + signal, Long.toString(gateway.pid())).start().waitFor();
  }

  void endGateway(String signal) throws Exception {
    signalGateway(signal);
    int status = gateway.waitFor();
    if (signal.equals("TERM") && status != 0) {
      throw new IllegalStateException("the gateway ended with status " + status);
    }
  }

  void stopSimulator() throws InterruptedException {
    simulator.destroyForcibly().waitFor();
  }

  JsonObject control(String method, String path, String body) throws Exception {
    URI uri = URI.create("http://" + simulatorListens.get("aulm") + "/_simulator/" + path);
    HttpRequest.BodyPublisher sent =
        body == null ? HttpRequest.BodyPublishers.noBody() : HttpRequest.BodyPublishers.ofString(body);
    HttpResponse<String> response =
        http.send(HttpRequest.newBuilder(uri).method(method, sent).build(), HttpResponse.BodyHandlers.ofString());
    if (response.statusCode() >= 300) {
      throw new IllegalStateException(method + " " + path + ": " + response.body());
    }
    JsonElement answer = response.body().isEmpty() ? new JsonObject() : JsonParser.parseString(response.body());
    return answer.isJsonObject() ? answer.getAsJsonObject() : new JsonObject();
  }

  /** Posts an event to be delivered, and waits until it is. */
  void deliver(String path, String body) throws Exception {
    long sequence = control("POST", path, body).get("sequence").getAsLong();
    eventually(
        () -> {
          for (JsonElement each :
              control("GET", "deliveries?account=default&after=" + (sequence - 1), null).getAsJsonArray("deliveries")) {
            JsonObject delivery = each.getAsJsonObject();
            if (delivery.get("sequence").getAsLong() == sequence) {
              return delivery.get("state").getAsString().equals("delivered");
            }
          }
          return false;
        },
        () -> "delivery " + sequence,
        Duration.ofSeconds(20));
  }

  /** Waits until {@code test} holds. */
  static void eventually(Callable<Boolean> test, Supplier<String> saw, Duration patience) throws Exception {
    long end = System.nanoTime() + patience.toNanos();
    while (!test.call()) {
      if (System.nanoTime() > end) {
        throw new AssertionError("not within " + patience + "; saw " + saw.get());
      }
      Thread.sleep(5);
    }
  }

  @Override
  public void close() throws Exception {
    gateway.destroyForcibly().waitFor();
    stopSimulator();
    try (var files = Files.walk(folder)) {
      for (Path each : files.sorted(java.util.Comparator.reverseOrder()).toList()) {
        Files.delete(each);
      }
    }
  }
}
