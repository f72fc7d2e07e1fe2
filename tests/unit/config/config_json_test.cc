#include "service/config/config_json.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/util/json_util.h>
#include <google/protobuf/util/message_differencer.h>

#include <set>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace aulm::gateway {
namespace {

using config::v1::GatewayConfig;
using google::protobuf::FieldDescriptor;

std::string ProblemsOf(const std::string& text) {
  GatewayConfig config;
  Problems problems;
  const bool is_good = ReadConfigJson("c.json", text, config, problems);
  EXPECT_EQ(is_good, problems.empty());
  return std::string(problems.ToStatus().message());
}

// Every field of the schema with a value of its own.
constexpr char kEverything[] = R"({
  "listeners": {
    "grpc": {"address": "a", "tls": {"certificate_file": "b", "key_file": "c", "client_ca_file": "ca"}, "callers_optional": true,
             "trusted_identity_header": {"name": "na", "from_addresses": ["nb"]}, "reflection": true, "channelz": true},
    "webhook": {"address": "d", "tls": {"certificate_file": "e", "key_file": "f"}},
    "admin": {"address": "g", "tls": {"certificate_file": "h", "key_file": "i"}, "token_sha256_file": "ia"}},
  "store": {"url": "j", "retention": "1.5s", "max_bytes": "9223372036854775807", "dedupe_retention": "0.000000001s",
    "nats": {"prefix": "u", "replicas": 23, "credentials_file": "v", "synced": true,
      "tls": {"ca_file": "w", "certificate_file": "x", "key_file": "y"}}},
  "accounts": [
    {"name": "k", "base_url": "l", "api_key_file": "m", "webhook_secret_files": ["n", "o"],
     "on_signature_mismatch": "ON_SIGNATURE_MISMATCH_RETRY", "session_ids": ["p"],
     "session_poll_interval": "20s", "suspect_after": "21s"},
    {"name": "q \u00e4 \ud83d\ude00"}, {}],
  "limits": {"max_image_bytes": 1, "webhook_body_bytes": 2, "webhook_connections": 3, "webhooks_in_flight": 4,
    "streams": 5, "stream_max_age": "6s", "stream_stall": "7s", "ring_bytes": 8, "send_settle": "9s",
    "default_deadline": "10s", "max_in_flight_sends": 11, "subscriptions": 12, "webhook_connections_per_address": 12, "drain_delay": "13s",
    "grpc_memory_bytes": 12, "grpc_threads": 13,
    "calls_per_connection": 14, "header_list_bytes": 15, "keepalive_interval": "16s", "keepalive_timeout": "17s",
    "min_ping_interval": "18s"},
  "callers": [{"name": "u", "token_sha256_file": "v", "spiffe_id": "w", "dns_name": "x", "methods": ["y"],
    "accounts": ["z"], "session_ids": ["za"], "max_streams": 19, "sends_per_second": 0.5,
    "max_subscriptions": 20}],
  "pacing": {"off": true, "interval": "11s", "jitter": 0.5, "burst": 12, "reply_interval": "13s", "reply_window": "14s",
    "max_wait": "15s", "daily_limit": 16, "warm_up": {"days": 17, "first_day_limit": 18, "last_day_limit": 19},
    "sessions": [{"session_id": "s", "active_since": "t", "off": true, "interval": "11s", "jitter": 0.5, "burst": 12, "reply_interval": "13s", "reply_window": "14s",
    "max_wait": "15s", "daily_limit": 16, "warm_up": {"days": 17, "first_day_limit": 18, "last_day_limit": 19}}]},
  "sends": {"request_id_retention": "22s", "refuse_when_quota_used_up": true},
  "log": {"level": "r"}})";

TEST(ConfigJsonTest, ReadsEveryFieldAsProtobufDoes) {
  GatewayConfig ours;
  Problems problems;
  ASSERT_TRUE(ReadConfigJson("c.json", kEverything, ours, problems)) << problems.ToStatus();
  GatewayConfig theirs;
  ASSERT_TRUE(google::protobuf::util::JsonStringToMessage(kEverything, &theirs).ok());
  EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(ours, theirs))
      << ours.DebugString() << theirs.DebugString();
}

// Walks the messages of the schema and gives the name of each field that `message` does not have.
void CollectMissing(const google::protobuf::Message& message, std::set<std::string>& missing) {
  const auto& reflection = *message.GetReflection();
  const auto& type = *message.GetDescriptor();
  if (type.full_name() == "google.protobuf.Duration") return;
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor& field = *type.field(i);
    const bool has =
        field.is_repeated() ? reflection.FieldSize(message, &field) > 0 : reflection.HasField(message, &field);
    if (!has) {
      missing.insert(field.full_name());
    } else if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      CollectMissing(field.is_repeated() ? reflection.GetRepeatedMessage(message, &field, 0)
                                         : reflection.GetMessage(message, &field),
                     missing);
    }
  }
}

TEST(ConfigJsonTest, EveryFieldHasATypeThatIsRead) {
  GatewayConfig config;
  Problems problems;
  ASSERT_TRUE(ReadConfigJson("c.json", kEverything, config, problems)) << problems.ToStatus();
  std::set<std::string> missing;
  CollectMissing(config, missing);
  EXPECT_THAT(missing, testing::IsEmpty()) << "add the new fields to kEverything";
}

TEST(ConfigJsonTest, ReadsAnEmptyObject) { EXPECT_EQ(ProblemsOf("{}"), ""); }

// What protobuf's reader takes too, with the same result.
TEST(ConfigJsonTest, ReadsTheOtherSpellingsOfProto3Json) {
  for (const std::string text : {
           R"({"accounts": [{"apiKeyFile": "a", "webhookSecretFiles": ["b"]}]})",
           R"({"limits": {"streams": "5", "max_image_bytes": 1e3, "ring_bytes": 2.0, "stream_stall": "-0.5s"}})",
           R"({"limits": {"streams": -5, "max_image_bytes": "-9223372036854775808"}})",
           R"({"limits": null, "accounts": [], "store": {"url": null}})",
           R"({"accounts": [{"on_signature_mismatch": 2}, {"on_signature_mismatch": "ON_SIGNATURE_MISMATCH_REJECT"}]})",
           "\n\t { \"log\" : { \"level\" : \"\\u0061\\/\\\"\" } } \r\n",
       }) {
    GatewayConfig ours;
    Problems problems;
    ASSERT_TRUE(ReadConfigJson("c.json", text, ours, problems)) << text << problems.ToStatus();
    GatewayConfig theirs;
    ASSERT_TRUE(google::protobuf::util::JsonStringToMessage(text, &theirs).ok()) << text;
    EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(ours, theirs))
        << text << ours.DebugString() << theirs.DebugString();
  }
}

TEST(ConfigJsonTest, ReadsEnumValuesWithoutTheirPrefix) {
  GatewayConfig config;
  Problems problems;
  ASSERT_TRUE(ReadConfigJson(
      "c.json", R"({"accounts": [{"on_signature_mismatch": "REJECT"}, {"on_signature_mismatch": "RETRY"}]})", config,
      problems))
      << problems.ToStatus();
  EXPECT_EQ(config.accounts(0).on_signature_mismatch(), config::v1::ON_SIGNATURE_MISMATCH_REJECT);
  EXPECT_EQ(config.accounts(1).on_signature_mismatch(), config::v1::ON_SIGNATURE_MISMATCH_RETRY);
}

TEST(ConfigJsonTest, TellsWhetherAFieldWasGiven) {
  GatewayConfig config;
  Problems problems;
  ASSERT_TRUE(ReadConfigJson("c.json", R"({"limits": {"streams": 0}})", config, problems));
  EXPECT_TRUE(config.limits().has_streams());
  EXPECT_FALSE(config.limits().has_ring_bytes());
}

TEST(ConfigJsonTest, TellsLineAndColumnOfASyntaxError) {
  EXPECT_EQ(ProblemsOf("{\n  \"log\": {,}\n}"),
            "c.json:2:11: not valid JSON (syntax error): mend the text there or just before");
  EXPECT_EQ(ProblemsOf(""), "c.json:1:1: not valid JSON (incomplete JSON): mend the text there or just before");
  EXPECT_EQ(ProblemsOf("{} x"), "c.json:1:4: not valid JSON (extra data): mend the text there or just before");
}

TEST(ConfigJsonTest, RefusesWhatIsNoJson) {
  for (const std::string text :
       {"{", "{\"log\": {}", "{\"log\": {},}", "{'log': {}}", "{log: {}}", "{\"log\": {} // comment\n}",
        "{/* comment */}", "{\"log\": NaN}", "{\"limits\": {\"streams\": 01}}", "{\"limits\": {\"streams\": +1}}",
        "{\"log\": {\"level\": \"\xff\"}}", "{\"log\": {\"level\": \"\\ud800\"}}", "{\"log\": {\"level\": \"a\nb\"}}",
        "\xEF\xBB\xBF{}", "{}{}"}) {
    EXPECT_THAT(ProblemsOf(text), testing::HasSubstr("not valid JSON")) << text;
  }
}

TEST(ConfigJsonTest, RefusesWhatIsNoObject) {
  for (const std::string text : {"[]", "1", "null", "\"x\"", "[{\"log\": {}}]"}) {
    EXPECT_EQ(ProblemsOf(text),
              "c.json: is not a JSON object: write { \"accounts\": … }, as docs/configuration.md shows")
        << text;
  }
}

TEST(ConfigJsonTest, RefusesDeepNesting) {
  std::string text = "{\"log\": ";
  for (int i = 0; i < 100'000; ++i) text += "[";
  EXPECT_THAT(ProblemsOf(text), testing::HasSubstr("not valid JSON (too deep)"));
}

TEST(ConfigJsonTest, RefusesAKeyGivenTwiceAndTellsItsPath) {
  EXPECT_EQ(ProblemsOf(R"({"log": {"level": "info", "level": "warn"}})"),
            "log.level: is given twice: leave one of them");
  EXPECT_EQ(ProblemsOf(R"({"log": {}, "log": {}})"), "log: is given twice: leave one of them");
  EXPECT_EQ(ProblemsOf(R"({"accounts": [{"session_ids": [1, {}, []]}, {"name": "a", "n\u0061me": "b"}]})"),
            "accounts[1].name: is given twice: leave one of them");
  EXPECT_EQ(ProblemsOf(R"({"accounts": [[[{}, {"x": 1, "x": 2}]]]})"),
            "accounts[0][0][1].x: is given twice: leave one of them");
}

TEST(ConfigJsonTest, EqualKeysOfDifferentObjectsAreFine) {
  EXPECT_EQ(ProblemsOf(R"({"accounts": [{"name": "a"}, {"name": "b"}], "listeners": {"grpc": {"address": "a"},
                          "webhook": {"address": "b"}}})"),
            "");
}

TEST(ConfigJsonTest, RefusesAKeyGivenInTwoSpellings) {
  EXPECT_EQ(ProblemsOf(R"({"accounts": [{"api_key_file": "a", "apiKeyFile": "b"}]})"),
            "accounts[0].api_key_file: is given twice, in two spellings: leave one of them");
}

TEST(ConfigJsonTest, CollectsEveryProblem) {
  EXPECT_EQ(ProblemsOf(R"({"lgo": {}, "limits": {"streams": "many", "stream_stall": 5}})"),
            "lgo: unknown field: did you mean log?\n"
            "limits.streams: is not a whole number in range: write it in digits\n"
            "limits.stream_stall: is not a duration: write seconds with an s in quotes, such as \"60s\" or \"0.25s\"");
}

TEST(ConfigJsonTest, RefusesWhatIsNoDuration) {
  for (const std::string value :
       {"\"\"", "\"s\"", "\"5\"", "\"5m\"", "\"5 s\"", "\"+5s\"", "\".5s\"", "\"5.s\"", "\"5.0000000001s\"", "\"--5s\"",
        "\"1e3s\"", "\"315576000001s\"", "\"99999999999999999999s\"", "5", "{}", "true"}) {
    EXPECT_THAT(ProblemsOf("{\"limits\": {\"stream_stall\": " + value + "}}"),
                testing::StartsWith("limits.stream_stall: is not a duration"))
        << value;
  }
}

TEST(ConfigJsonTest, RefusesWhatIsNoWholeNumberInRange) {
  for (const std::string value : {"1.5", "2147483648", "-2147483649", "\"2147483648\"", "18446744073709551615", "1e300",
                                  "\"\"", "\"x\"", "\"1.5\"", "\"0x10\""}) {
    EXPECT_EQ(ProblemsOf("{\"limits\": {\"streams\": " + value + "}}"),
              "limits.streams: is not a whole number in range: write it in digits")
        << value;
  }
  EXPECT_EQ(ProblemsOf("{\"limits\": {\"ring_bytes\": 9223372036854775808}}"),
            "limits.ring_bytes: is not a whole number in range: write it in digits");
}

TEST(ConfigJsonTest, RefusesControlCharactersInStrings) {
  EXPECT_EQ(ProblemsOf(R"({"store": {"url": "sqlite://a\u0000b"}})"),
            "store.url: holds a control character: leave it out");
}

}  // namespace
}  // namespace aulm::gateway
