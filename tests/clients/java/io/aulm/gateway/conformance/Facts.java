package io.aulm.gateway.conformance;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonNull;
import com.google.gson.JsonObject;
import com.google.gson.JsonPrimitive;
import com.google.protobuf.ByteString;
import com.google.protobuf.Descriptors.EnumValueDescriptor;
import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.Message;
import io.aulm.gateway.client.GatewayException;
import java.util.Base64;
import java.util.Map;

/** What the client gave, in the words of the conformance table, and how that differs from what the table expects. */
final class Facts {
  private Facts() {}

  /** A message by the names of its fields; enum values without their prefix, bytes as base64. */
  static JsonObject of(Message message) {
    JsonObject facts = new JsonObject();
    for (FieldDescriptor field : message.getDescriptorForType().getFields()) {
      if (field.isRepeated()) {
        JsonArray values = new JsonArray();
        for (int i = 0; i < message.getRepeatedFieldCount(field); ++i) {
          values.add(value(message.getRepeatedField(field, i)));
        }
        facts.add(field.getName(), values);
      } else {
        boolean absent = field.hasPresence() && !message.hasField(field);
        facts.add(field.getName(), absent ? JsonNull.INSTANCE : value(message.getField(field)));
      }
    }
    return facts;
  }

  /** An answer to a send: the fields of its message stand beside its own. */
  static JsonObject ofSend(Message answer) {
    JsonObject facts = of(answer);
    facts.remove("message").getAsJsonObject().entrySet().forEach(each -> facts.add(each.getKey(), each.getValue()));
    return facts;
  }

  /** An error of the client. */
  static JsonObject of(GatewayException error) {
    JsonObject facts = new JsonObject();
    facts.addProperty("code", error.code().name());
    facts.addProperty("reason", error.reason());
    facts.addProperty("domain", error.domain());
    facts.addProperty("outcome", error.outcome().map(each -> each.name().toLowerCase()).orElse("none"));
    facts.addProperty("retry_after", error.retryAfter().map(Object::toString).orElse(null));
    facts.add("quota", error.quota().<JsonElement>map(Facts::of).orElse(JsonNull.INSTANCE));
    facts.addProperty("request_id", error.requestId());
    facts.addProperty("aulm_request_id", error.aulmRequestId());
    JsonArray fields = new JsonArray();
    error.fieldViolations().forEach(each -> fields.add(each.subject()));
    facts.add("fields", fields);
    facts.addProperty("preconditions", error.preconditionViolations().size());
    facts.add("earliest_cursor", value(error.earliestCursor().orElse(ByteString.EMPTY)));
    return facts;
  }

  private static JsonElement value(Object value) {
    if (value instanceof Message message) {
      return of(message);
    }
    if (value instanceof EnumValueDescriptor named) {
      String unspecified = named.getType().findValueByNumber(0).getName();
      return new JsonPrimitive(named.getName().substring(unspecified.length() - "UNSPECIFIED".length()));
    }
    if (value instanceof ByteString bytes) {
      return new JsonPrimitive(Base64.getEncoder().encodeToString(bytes.toByteArray()));
    }
    if (value instanceof Boolean truth) {
      return new JsonPrimitive(truth);
    }
    return value instanceof Number number ? new JsonPrimitive(number) : new JsonPrimitive((String) value);
  }

  /** What of {@code seen} is not as expected; empty where all of it is. Fails where something unknown is expected. */
  static String difference(JsonElement seen, JsonElement expected) {
    return difference(seen, expected, "it");
  }

  private static String difference(JsonElement seen, JsonElement expected, String where) {
    if (expected.equals(new JsonPrimitive("present"))) {
      return isEmpty(seen) ? where + " is empty" : "";
    }
    if (!expected.isJsonObject() || !seen.isJsonObject()) {
      return seen.equals(expected) ? "" : where + " is " + seen + ", not " + expected;
    }
    for (Map.Entry<String, JsonElement> each : expected.getAsJsonObject().entrySet()) {
      JsonElement found = seen.getAsJsonObject().get(each.getKey());
      if (found == null) {
        throw new IllegalArgumentException(each.getKey() + ": not known to this runner");
      }
      String difference = difference(found, each.getValue(), each.getKey());
      if (!difference.isEmpty()) {
        return difference;
      }
    }
    return "";
  }

  private static boolean isEmpty(JsonElement value) {
    return value.isJsonNull()
        || value instanceof JsonArray array && array.isEmpty()
        || value instanceof JsonPrimitive one && one.getAsString().isEmpty();
  }
}
