package io.aulm.gateway.client;

import com.google.protobuf.Any;
import com.google.protobuf.ByteString;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.rpc.BadRequest;
import com.google.rpc.ErrorInfo;
import com.google.rpc.PreconditionFailure;
import com.google.rpc.QuotaFailure;
import com.google.rpc.RequestInfo;
import com.google.rpc.ResourceInfo;
import com.google.rpc.RetryInfo;
import io.aulm.gateway.v1.RateLimit;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import java.io.IOException;
import java.time.Duration;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * A failed call: everything that the gateway put into the status and its details, decoded once. Each call of {@link
 * GatewayClient} fails with it. Immutable.
 */
public final class GatewayException extends RuntimeException {
  private static final long serialVersionUID = 1;

  private final Status.Code code;
  private final transient Details details;
  private final Outcome outcome;
  private final String requestId;

  // What the details hold; all of it empty in an error of a broken connection.
  private record Details(
      String reason,
      String domain,
      Map<String, String> metadata,
      Duration retryAfter,
      RateLimit quota,
      String aulmRequestId,
      List<Violation> fields,
      List<Violation> preconditions,
      List<Violation> quotas,
      String resource) {}

  private GatewayException(
      String message, Throwable cause, Status.Code code, Details details, Outcome outcome, String requestId) {
    super(message, cause);
    this.code = code;
    this.details = details;
    this.outcome = outcome;
    this.requestId = requestId;
  }

  /** Decodes a failed call of a stub. Details that cannot be read are left out, never an error of their own. */
  public static GatewayException from(StatusRuntimeException error) {
    Status.Code code = error.getStatus().getCode();
    // A call that meets the connection just as it breaks: grpc-java calls it UNKNOWN, and gives its own exception along.
    if (code == Status.Code.UNKNOWN && error.getStatus().getCause() instanceof IOException) {
      code = Status.Code.UNAVAILABLE;
    }
    Details details = read(error);
    String told = details.metadata.getOrDefault("outcome", "");
    Outcome outcome = told.equals("not_sent") ? Outcome.NOT_SENT : told.equals("unknown") ? Outcome.UNKNOWN : null;
    String words = error.getStatus().getDescription();
    String message = titled(code, details.reason) + (words == null ? "" : ": " + words);
    return new GatewayException(
        message, error, code, details, outcome, details.metadata.getOrDefault("request_id", ""));
  }

  /** An error of the client's own, in the shape of the gateway's. */
  static GatewayException of(Status.Code code, String reason, String words, Duration retryAfter) {
    Details details =
        new Details(
            reason, reason.isEmpty() ? "" : "aulm-gateway", Map.of(), retryAfter, null, "", List.of(), List.of(),
            List.of(), "");
    return new GatewayException(titled(code, reason) + ": " + words, null, code, details, null, "");
  }

  /** The error of a send that the client itself did not make, so that it was certainly not sent. */
  static GatewayException notMade(Status.Code code, String words, String requestId) {
    return of(code, "", words, null).withSend(Outcome.NOT_SENT, requestId);
  }

  private static String titled(Status.Code code, String reason) {
    return code + (reason.isEmpty() ? "" : " " + reason);
  }

  private static Details read(StatusRuntimeException error) {
    ErrorInfo info = ErrorInfo.getDefaultInstance();
    Duration retryAfter = null;
    RateLimit quota = null;
    String aulmRequestId = "";
    List<Violation> fields = List.of();
    List<Violation> preconditions = List.of();
    List<Violation> quotas = List.of();
    String resource = "";
    com.google.rpc.Status status = StatusProto.fromThrowable(error);
    for (Any any : status == null ? List.<Any>of() : status.getDetailsList()) {
      try {
        if (any.is(ErrorInfo.class)) {
          info = any.unpack(ErrorInfo.class);
        } else if (any.is(RetryInfo.class)) {
          com.google.protobuf.Duration delay = any.unpack(RetryInfo.class).getRetryDelay();
          retryAfter = Duration.ofSeconds(delay.getSeconds(), delay.getNanos());
        } else if (any.is(RequestInfo.class)) {
          aulmRequestId = any.unpack(RequestInfo.class).getRequestId();
        } else if (any.is(BadRequest.class)) {
          fields =
              any.unpack(BadRequest.class).getFieldViolationsList().stream()
                  .map(each -> new Violation(each.getField(), each.getDescription()))
                  .toList();
        } else if (any.is(PreconditionFailure.class)) {
          preconditions =
              any.unpack(PreconditionFailure.class).getViolationsList().stream()
                  .map(each -> new Violation(each.getSubject(), each.getDescription()))
                  .toList();
        } else if (any.is(QuotaFailure.class)) {
          quotas =
              any.unpack(QuotaFailure.class).getViolationsList().stream()
                  .map(each -> new Violation(each.getSubject(), each.getDescription()))
                  .toList();
        } else if (any.is(ResourceInfo.class)) {
          resource = any.unpack(ResourceInfo.class).getDescription();
        } else if (any.is(RateLimit.class)) {
          quota = any.unpack(RateLimit.class);
        }
      } catch (InvalidProtocolBufferException e) {
        continue; // left out
      }
    }
    return new Details(
        info.getReason(), info.getDomain(), info.getMetadataMap(), retryAfter, quota, aulmRequestId, fields,
        preconditions, quotas, resource);
  }

  /** This error as one of a send. */
  GatewayException withSend(Outcome outcome, String requestId) {
    return new GatewayException(getMessage(), getCause(), code, details, outcome, requestId);
  }

  /** The gRPC code. */
  public Status.Code code() {
    return code;
  }

  /**
   * UPPER_SNAKE: aulm's error code (domain "aulm.io") or the gateway's own (domain "aulm-gateway"). Both empty when the
   * error came without details, from a broken connection or a proxy.
   */
  public String reason() {
    return details.reason;
  }

  /** Whose {@link #reason} it is. */
  public String domain() {
    return details.domain;
  }

  /** What became of the send; empty where the call was no send. */
  public Optional<Outcome> outcome() {
    return Optional.ofNullable(outcome);
  }

  /** Wait at least this long before a repeat. */
  public Optional<Duration> retryAfter() {
    return Optional.ofNullable(details.retryAfter);
  }

  /** The account's quota, where aulm told it. */
  public Optional<RateLimit> quota() {
    return Optional.ofNullable(details.quota);
  }

  /** The send's request id: the caller's, or the one that the client made. Empty on reads. */
  public String requestId() {
    return requestId;
  }

  /** aulm's x-request-id: quote it to aulm's support. Empty when aulm was not asked. */
  public String aulmRequestId() {
    return details.aulmRequestId;
  }

  /** Which fields of the request are wrong. */
  public List<Violation> fieldViolations() {
    return details.fields;
  }

  /** What must be put right before the call can work. */
  public List<Violation> preconditionViolations() {
    return details.preconditions;
  }

  /** Which quota ran out. */
  public List<Violation> quotaViolations() {
    return details.quotas;
  }

  /** What the error says of the session or subscription it is about; empty when nothing. */
  public String resourceDescription() {
    return details.resource;
  }

  /** With CURSOR_EXPIRED: the cursor where the log now starts. */
  public Optional<ByteString> earliestCursor() {
    String encoded = details.metadata.get("earliest_cursor");
    if (encoded == null) {
      return Optional.empty();
    }
    try {
      return Optional.of(ByteString.copyFrom(Base64.getUrlDecoder().decode(encoded)));
    } catch (IllegalArgumentException e) {
      return Optional.empty();
    }
  }

  /** ErrorInfo's metadata, whole: also what this version has no method for. */
  public Map<String, String> metadata() {
    return details.metadata;
  }

  /** True for what the same call, repeated, may well not meet again. */
  boolean mayPass() {
    return switch (code) {
      case UNAVAILABLE, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, ABORTED -> true;
      default -> false;
    };
  }

  /** True where the gateway itself answered: the error has an ErrorInfo. */
  public boolean hasDetails() {
    return !details.reason.isEmpty();
  }
}
