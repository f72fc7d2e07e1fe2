import io.aulm.gateway.client.FileCursorStore;
import io.aulm.gateway.client.GatewayClient;
import io.aulm.gateway.client.GatewayException;
import io.aulm.gateway.client.SubscribeOptions;
import io.aulm.gateway.v1.SendTextRequest;
import io.aulm.gateway.v1.StartPosition;
import io.aulm.gateway.v1.SubscribeEventsRequest;
import java.nio.file.Path;

class Quickstart {
  public static void main(String[] arguments) {
    try (GatewayClient gateway = GatewayClient.builder("127.0.0.1:50051").build()) {
      SendTextRequest.Builder text =
          SendTextRequest.newBuilder().setSessionId("00000000-0000-4000-8000-000000000001").setTo("+966512345678");
      try {
        gateway.sendText(text.setBody("Hello").setRequestId("order-4711").build());
      } catch (GatewayException e) {
        System.err.println(e.reason() + " " + e.outcome());
      }

      SubscribeEventsRequest.Builder events = // until there is a position
          SubscribeEventsRequest.newBuilder().setPosition(StartPosition.START_POSITION_EARLIEST);
      SubscribeOptions options =
          SubscribeOptions.of(events.build()).withCursorStore(new FileCursorStore(Path.of("position")));
      gateway.subscribe(options, event -> System.out.println(event)).ended().join();
    }
  }
}
