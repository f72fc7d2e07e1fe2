package io.aulm.gateway.conformance;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import com.google.protobuf.Any;
import com.google.rpc.BadRequest;
import com.google.rpc.ErrorInfo;
import com.google.rpc.Status;
import io.aulm.gateway.v1.MessagingServiceGrpc;
import io.aulm.gateway.v1.SendTextRequest;
import io.grpc.ManagedChannel;
import io.grpc.StatusRuntimeException;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import io.grpc.protobuf.StatusProto;
import java.util.List;
import org.junit.jupiter.api.Test;

/** grpc-java's own decoder of status details, and nothing of the client's, on what the gateway sends. */
class StockDecoderTest {
  @Test
  void statusProtoDecodesAnError() throws Exception {
    try (World world = new World(List.of())) {
      ManagedChannel channel = NettyChannelBuilder.forTarget(world.target()).usePlaintext().build();
      StatusRuntimeException raised =
          assertThrows(
              StatusRuntimeException.class,
              () -> MessagingServiceGrpc.newBlockingStub(channel).sendText(SendTextRequest.getDefaultInstance()));
      channel.shutdownNow();

      Status status = StatusProto.fromThrowable(raised);
      ErrorInfo info = null;
      List<String> fields = List.of();
      for (Any detail : status.getDetailsList()) {
        if (detail.is(ErrorInfo.class)) {
          info = detail.unpack(ErrorInfo.class);
        }
        if (detail.is(BadRequest.class)) {
          fields =
              detail.unpack(BadRequest.class).getFieldViolationsList().stream()
                  .map(BadRequest.FieldViolation::getField)
                  .toList();
        }
      }
      assertEquals(com.google.rpc.Code.INVALID_ARGUMENT_VALUE, status.getCode());
      assertEquals("INVALID_FIELD", info.getReason());
      assertEquals("aulm-gateway", info.getDomain());
      assertEquals("not_sent", info.getMetadataOrThrow("outcome"));
      assertEquals(List.of("session_id", "to", "body"), fields);
    }
  }
}
