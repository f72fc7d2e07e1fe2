package io.aulm.gateway.conformance;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/**
 * The clients' conformance table as it stands in its file, and how its JSON is read: whole. A name that nobody asked
 * for is an error, or the table would pass by halves.
 *
 * @param sessions the table's names of sessions, and their ids
 * @param excluded names of cases that are not run, and why
 */
record Table(JsonObject sessions, JsonObject excluded, List<JsonObject> cases) {
  /** Reads the table, and checks that what it excludes is there. */
  static Table read(Path file) throws IOException {
    JsonObject whole = only(JsonParser.parseString(Files.readString(file)), "sessions", "excluded", "cases");
    List<JsonObject> cases = new ArrayList<>();
    for (JsonElement each : whole.getAsJsonArray("cases")) {
      cases.add(only(each, "name", "shows", "client", "simulator", "steps"));
    }
    List<String> names = cases.stream().map(each -> each.get("name").getAsString()).toList();
    JsonObject excluded = whole.getAsJsonObject("excluded");
    for (String name : excluded.keySet()) {
      if (!names.contains(name)) {
        throw new IllegalArgumentException("excluded: there is no case " + name);
      }
    }
    return new Table(whole.getAsJsonObject("sessions"), excluded, cases);
  }

  /** The id of a session of the table; any other name stands for itself. */
  String session(String name) {
    return sessions.has(name) ? sessions.get(name).getAsString() : name;
  }

  /** The object {@code given}; fails where it has a field that is not one of {@code names}. */
  static JsonObject only(JsonElement given, String... names) {
    JsonObject object = given.getAsJsonObject();
    for (String name : object.keySet()) {
      if (!Set.of(names).contains(name)) {
        throw new IllegalArgumentException(name + ": not known to this runner");
      }
    }
    return object;
  }

  /** A field that is a string or a list of them; none where it is absent. */
  static List<String> strings(JsonObject object, String name) {
    JsonElement value = object.get(name);
    if (value == null) {
      return List.of();
    }
    if (value instanceof JsonArray array) {
      return array.asList().stream().map(JsonElement::getAsString).toList();
    }
    return List.of(value.getAsString());
  }

  /** A field that is text, or {@code otherwise} where it is absent. */
  static String text(JsonObject object, String name, String otherwise) {
    return object.has(name) ? object.get(name).getAsString() : otherwise;
  }

  /** A field that is a number, or {@code otherwise} where it is absent. */
  static int number(JsonObject object, String name, int otherwise) {
    return object.has(name) ? object.get(name).getAsInt() : otherwise;
  }

  /** A field that is true or false; false where it is absent. */
  static boolean flag(JsonObject object, String name) {
    return object.has(name) && object.get(name).getAsBoolean();
  }
}
