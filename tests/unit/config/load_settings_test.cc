#include "service/config/load_settings.h"

#include <string>

#include "absl/strings/str_replace.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "service/config/describe_settings.h"
#include "tests/support/test_certificate_pem.h"
#include "tests/unit/config/config_folder.h"

namespace aulm::gateway {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr char kSession[] = "11111111-2222-3333-4444-555555555555";

class LoadSettingsTest : public testing::Test {
 protected:
  LoadSettingsTest() {
    folder_.Write("key", "alm_sk_live_file\n");
    folder_.Write("secrets", "one\ntwo\n");
    folder_.Write("digest", std::string(64, 'a') + "\n" + std::string(64, 'B') + "\n");
  }

  // Loads `json`, in which D stands for the test's folder.
  Settings Load(const std::string& json, const Environment& environment = {}) {
    auto settings =
        LoadSettings(folder_.Write("config.json", absl::StrReplaceAll(json, {{"$D", folder_.path()}})), environment);
    EXPECT_TRUE(settings.ok()) << settings.status();
    return settings.ok() ? *std::move(settings) : Settings();
  }
  Settings LoadEnvironment(const Environment& environment) {
    auto settings = LoadSettings(std::nullopt, environment);
    EXPECT_TRUE(settings.ok()) << settings.status();
    return settings.ok() ? *std::move(settings) : Settings();
  }

  const Environment keys_ = {{"AULM_API_KEY", "alm_sk_test_env"}, {"AULM_WEBHOOK_SECRET", "canary"}};
  const std::string account_ =
      R"({"name": "default", "api_key_file": "$D/key", "webhook_secret_files": ["$D/secrets"]})";
  ConfigFolder folder_;
};

TEST_F(LoadSettingsTest, AKeyAndASecretInTheEnvironmentAreEnough) {
  const Settings settings = LoadEnvironment(keys_);
  EXPECT_EQ(ToString(settings.grpc.address), "127.0.0.1:50051");
  EXPECT_EQ(ToString(settings.webhook.address), "127.0.0.1:8080");
  EXPECT_EQ(ToString(settings.admin.address), "127.0.0.1:9090");
  EXPECT_FALSE(settings.grpc.tls.has_value());
  EXPECT_FALSE(settings.grpc.callers_optional);
  EXPECT_EQ(settings.store.url, "sqlite://./data");
  EXPECT_EQ(settings.store.folder, "./data");
  EXPECT_EQ(settings.store.retention, absl::Hours(720));
  EXPECT_EQ(settings.store.dedupe_retention, absl::Hours(720));
  EXPECT_EQ(settings.store.max_bytes, 0);
  EXPECT_EQ(settings.log_level, LogLevel::kInfo);
  EXPECT_THAT(settings.warnings, IsEmpty());
  ASSERT_EQ(settings.accounts.size(), 1u);
  const AccountSettings& account = settings.accounts[0];
  EXPECT_EQ(account.name, "default");
  EXPECT_EQ(account.base_url, "https://api.aulm.io");
  EXPECT_EQ(account.api_key.file, "");
  EXPECT_EQ(account.api_key.value.Reveal(), "alm_sk_test_env");
  ASSERT_EQ(account.webhook_secrets.size(), 1u);
  EXPECT_EQ(account.webhook_secrets[0].value.Reveal(), "canary");
  EXPECT_EQ(account.on_signature_mismatch, OnSignatureMismatch::kReject);
  EXPECT_THAT(account.session_ids, IsEmpty());
}

TEST_F(LoadSettingsTest, ReadsEveryFieldOfAFile) {
  const TestCertificatePem pem = MakeTestCertificate("gateway");
  folder_.Write("cert", pem.certificate);
  folder_.Write("tls.key", pem.key);
  const Settings settings = Load(R"({
    "listeners": {"grpc": {"address": "0.0.0.0:1", "tls": {"certificate_file": "$D/cert", "key_file": "$D/tls.key"},
                           "callers_optional": true},
                  "webhook": {"address": "[::]:2", "tls": {"certificate_file": "$D/cert", "key_file": "$D/tls.key"}},
                  "admin": {"address": "localhost:3"}},
    "store": {"url": "sqlite:///var/lib/aulm-gateway", "retention": "3600s", "max_bytes": 16777216,
              "dedupe_retention": "2592001s"},
    "accounts": [{"name": "shop-1", "base_url": "https://eu.aulm.io/", "api_key_file": "$D/key",
                  "webhook_secret_files": ["$D/secrets"], "on_signature_mismatch": "RETRY",
                  "session_ids": ["AAAAAAAA-2222-3333-4444-555555555555"], "session_poll_interval": "60s",
                  "suspect_after": "0s"}],
    "sends": {"request_id_retention": "3600s", "refuse_when_quota_used_up": true},
    "limits": {"max_image_bytes": 1024, "webhook_body_bytes": 1025, "webhook_connections": 1,
               "webhook_connections_per_address": 4, "webhooks_in_flight": 2,
               "streams": 3, "stream_max_age": "60s", "stream_stall": "1s", "ring_bytes": 1048576,
               "send_settle": "1.5s", "default_deadline": "2s", "drain_delay": "5s"},
    "log": {"level": "debug"}})");
  EXPECT_EQ(ToString(settings.grpc.address), "0.0.0.0:1");
  EXPECT_TRUE(settings.grpc.callers_optional);
  ASSERT_TRUE(settings.grpc.tls.has_value());
  EXPECT_EQ(settings.grpc.tls->certificate_file, folder_.Path("cert"));
  EXPECT_EQ(settings.grpc.tls->key_file, folder_.Path("tls.key"));
  EXPECT_EQ(ToString(settings.webhook.address), "[::]:2");
  EXPECT_TRUE(settings.webhook.tls.has_value());
  EXPECT_EQ(ToString(settings.admin.address), "localhost:3");
  EXPECT_FALSE(settings.admin.tls.has_value());
  EXPECT_EQ(settings.store.folder, "/var/lib/aulm-gateway");
  EXPECT_EQ(settings.store.retention, absl::Hours(1));
  EXPECT_EQ(settings.store.max_bytes, 16777216);
  EXPECT_EQ(settings.store.dedupe_retention, absl::Hours(720) + absl::Seconds(1));
  ASSERT_EQ(settings.accounts.size(), 1u);
  EXPECT_EQ(settings.accounts[0].name, "shop-1");
  EXPECT_EQ(settings.accounts[0].base_url, "https://eu.aulm.io");
  EXPECT_EQ(settings.accounts[0].api_key.file, folder_.Path("key"));
  EXPECT_TRUE(settings.accounts[0].api_key.value.empty());
  ASSERT_EQ(settings.accounts[0].webhook_secrets.size(), 1u);
  EXPECT_EQ(settings.accounts[0].webhook_secrets[0].file, folder_.Path("secrets"));
  EXPECT_EQ(settings.accounts[0].on_signature_mismatch, OnSignatureMismatch::kRetry);
  EXPECT_THAT(settings.accounts[0].session_ids, ElementsAre("aaaaaaaa-2222-3333-4444-555555555555"));
  EXPECT_EQ(settings.accounts[0].session_poll_interval, absl::Minutes(1));
  EXPECT_EQ(settings.accounts[0].suspect_after, absl::ZeroDuration());
  EXPECT_EQ(settings.sends.request_id_retention, absl::Hours(1));
  EXPECT_TRUE(settings.sends.refuse_when_quota_used_up);
  EXPECT_EQ(settings.limits.max_image_bytes, 1024u);
  EXPECT_EQ(settings.limits.webhook_body_bytes, 1025u);
  EXPECT_EQ(settings.limits.webhook_connections, 1u);
  EXPECT_EQ(settings.limits.webhook_connections_per_address, 4u);
  EXPECT_EQ(settings.limits.webhooks_in_flight, 2u);
  EXPECT_EQ(settings.limits.streams, 3u);
  EXPECT_EQ(settings.limits.stream_max_age, absl::Minutes(1));
  EXPECT_EQ(settings.limits.stream_stall, absl::Seconds(1));
  EXPECT_EQ(settings.limits.ring_bytes, 1048576u);
  EXPECT_EQ(settings.limits.send_settle, absl::Milliseconds(1500));
  EXPECT_EQ(settings.limits.default_deadline, absl::Seconds(2));
  EXPECT_EQ(settings.limits.drain_delay, absl::Seconds(5));
  EXPECT_EQ(settings.log_level, LogLevel::kDebug);
}

TEST_F(LoadSettingsTest, TheEnvironmentWinsOverTheFile) {
  folder_.Write("other_key", "alm_sk_test_other");
  const Settings settings = Load(R"({
    "listeners": {"grpc": {"address": "127.0.0.1:1"}, "webhook": {"address": "127.0.0.1:2"},
                  "admin": {"address": "127.0.0.1:3"}},
    "store": {"url": "sqlite://file"},
    "accounts": [)" + account_ + "]}",
                                 {{"GATEWAY_GRPC_LISTEN", "127.0.0.1:11"},
                                  {"GATEWAY_WEBHOOK_LISTEN", "127.0.0.1:12"},
                                  {"GATEWAY_ADMIN_LISTEN", "127.0.0.1:13"},
                                  {"GATEWAY_STORE", "sqlite://env"},
                                  {"AULM_BASE_URL", "http://127.0.0.1:9000"},
                                  {"AULM_API_KEY_FILE", folder_.Path("other_key")},
                                  {"AULM_WEBHOOK_SECRET", "env"}});
  EXPECT_EQ(settings.grpc.address.port, 11);
  EXPECT_EQ(settings.webhook.address.port, 12);
  EXPECT_EQ(settings.admin.address.port, 13);
  EXPECT_EQ(settings.store.folder, "env");
  ASSERT_EQ(settings.accounts.size(), 1u);
  EXPECT_EQ(settings.accounts[0].base_url, "http://127.0.0.1:9000");
  EXPECT_EQ(settings.accounts[0].api_key.file, folder_.Path("other_key"));
  ASSERT_EQ(settings.accounts[0].webhook_secrets.size(), 1u);
  EXPECT_EQ(settings.accounts[0].webhook_secrets[0].value.Reveal(), "env");
}

TEST_F(LoadSettingsTest, ABadValueInTheFileDoesNotMatterWhereTheEnvironmentWins) {
  Environment environment = keys_;
  environment["GATEWAY_STORE"] = "sqlite://env";
  EXPECT_EQ(Load(R"({"store": {"url": "bad"}})", environment).store.folder, "env");
}

TEST_F(LoadSettingsTest, TheBaseUrlOfTheEnvironmentHoldsForEveryAccount) {
  const Settings settings = Load(
      R"({"accounts": [{"name": "a", "api_key_file": "$D/key", "webhook_secret_files": ["$D/secrets"]},
                       {"name": "b", "base_url": "https://eu.aulm.io", "api_key_file": "$D/key",
                        "webhook_secret_files": ["$D/secrets"]}]})",
      {{"AULM_BASE_URL", "http://127.0.0.1:9000"}});
  ASSERT_EQ(settings.accounts.size(), 2u);
  EXPECT_EQ(settings.accounts[0].base_url, "http://127.0.0.1:9000");
  EXPECT_EQ(settings.accounts[1].base_url, "http://127.0.0.1:9000");
}

TEST_F(LoadSettingsTest, TheKeyOfTheEnvironmentAddsTheDefaultAccount) {
  const Settings settings =
      Load(R"({"accounts": [{"name": "a", "api_key_file": "$D/key", "webhook_secret_files": ["$D/secrets"]}]})", keys_);
  ASSERT_EQ(settings.accounts.size(), 2u);
  EXPECT_EQ(settings.accounts[0].name, "a");
  EXPECT_EQ(settings.accounts[0].api_key.file, folder_.Path("key"));
  EXPECT_EQ(settings.accounts[1].name, "default");
  EXPECT_EQ(settings.accounts[1].api_key.value.Reveal(), "alm_sk_test_env");
}

TEST_F(LoadSettingsTest, AnEmptyVariableCountsAsNotSet) {
  const Settings settings = Load("{\"accounts\": [" + account_ + "]}", {{"AULM_API_KEY", ""},
                                                                        {"AULM_WEBHOOK_SECRET", ""},
                                                                        {"AULM_BASE_URL", ""},
                                                                        {"GATEWAY_GRPC_LISTEN", ""},
                                                                        {"GATEWAY_STORE", ""},
                                                                        {"GATEWAY_CONFIG", ""}});
  EXPECT_EQ(settings.accounts[0].api_key.file, folder_.Path("key"));
  EXPECT_EQ(settings.store.url, "sqlite://./data");
}

TEST_F(LoadSettingsTest, GatewayConfigNamesTheFile) {
  Environment environment = keys_;
  environment["GATEWAY_CONFIG"] = folder_.Write("env.json", R"({"store": {"url": "sqlite://from-env"}})");
  EXPECT_EQ(LoadEnvironment(environment).store.folder, "from-env");
}

TEST_F(LoadSettingsTest, TheFlagWinsOverGatewayConfig) {
  Environment environment = keys_;
  environment["GATEWAY_CONFIG"] = folder_.Path("none.json");
  EXPECT_EQ(Load(R"({"store": {"url": "sqlite://from-flag"}})", environment).store.folder, "from-flag");
}

TEST_F(LoadSettingsTest, ATrailingNewlineOfASecretInTheEnvironmentIsDropped) {
  const Settings settings =
      LoadEnvironment({{"AULM_API_KEY", "alm_sk_test_env\n"}, {"AULM_WEBHOOK_SECRET", "canary\n"}});
  EXPECT_EQ(settings.accounts[0].api_key.value.Reveal(), "alm_sk_test_env");
  EXPECT_EQ(settings.accounts[0].webhook_secrets[0].value.Reveal(), "canary");
}

TEST_F(LoadSettingsTest, EveryListenerMayHavePortZero) {
  Environment environment = keys_;
  environment["GATEWAY_GRPC_LISTEN"] = "127.0.0.1:0";
  environment["GATEWAY_WEBHOOK_LISTEN"] = "127.0.0.1:0";
  environment["GATEWAY_ADMIN_LISTEN"] = "127.0.0.1:0";
  EXPECT_EQ(LoadEnvironment(environment).webhook.address.port, 0);
}

TEST_F(LoadSettingsTest, WarnsOfVariablesThatItDoesNotKnow) {
  Environment environment = keys_;
  environment["GATEWAY_LISTEN"] = "127.0.0.1:1";
  EXPECT_THAT(LoadEnvironment(environment).warnings,
              ElementsAre("GATEWAY_LISTEN: not a variable of the gateway, ignored"));
}

TEST_F(LoadSettingsTest, DescribesWhatIsInForceWithoutSecrets) {
  const Settings settings = Load(
      "{\"accounts\": [{\"name\": \"a\", \"api_key_file\": \"$D/key\","
      "\"webhook_secret_files\": [\"$D/secrets\"], \"session_ids\": [\"" +
          std::string(kSession) + "\"]}]}",
      keys_);
  EXPECT_EQ(absl::StrReplaceAll(DescribeSettings(settings), {{folder_.path(), "$D"}}), R"EOF({
  "listeners": {
    "grpc": {
      "address": "127.0.0.1:50051",
      "callers_optional": false,
      "reflection": true,
      "channelz": false
    },
    "webhook": {
      "address": "127.0.0.1:8080"
    },
    "admin": {
      "address": "127.0.0.1:9090"
    }
  },
  "store": {
    "url": "sqlite://./data",
    "nats": {
      "prefix": "aulm",
      "replicas": 0,
      "synced": false
    },
    "retention": "2592000s",
    "max_bytes": 0,
    "dedupe_retention": "2592000s"
  },
  "accounts": [
    {
      "name": "a",
      "base_url": "https://api.aulm.io",
      "api_key_file": "$D/key",
      "webhook_secret_files": [
        "$D/secrets"
      ],
      "on_signature_mismatch": "REJECT",
      "session_ids": [
        "11111111-2222-3333-4444-555555555555"
      ],
      "session_poll_interval": "0s",
      "suspect_after": "600s"
    },
    {
      "name": "default",
      "base_url": "https://api.aulm.io",
      "api_key": "(set)",
      "webhook_secret": "(set)",
      "on_signature_mismatch": "REJECT",
      "session_ids": [],
      "session_poll_interval": "0s",
      "suspect_after": "600s"
    }
  ],
  "callers": [],
  "limits": {
    "max_image_bytes": 5242880,
    "webhook_body_bytes": 1048576,
    "webhook_connections": 1024,
    "webhook_connections_per_address": 512,
    "webhooks_in_flight": 8192,
    "max_in_flight_sends": 10000,
    "subscriptions": 1000,
    "streams": 10000,
    "stream_max_age": "3600s",
    "stream_stall": "60s",
    "ring_bytes": 33554432,
    "send_settle": "60s",
    "default_deadline": "30s",
    "drain_delay": "0s",
    "grpc_memory_bytes": 536870912,
    "grpc_threads": 32,
    "calls_per_connection": 1000,
    "header_list_bytes": 8192,
    "keepalive_interval": "30s",
    "keepalive_timeout": "10s",
    "min_ping_interval": "10s"
  },
  "sends": {
    "request_id_retention": "86400s",
    "refuse_when_quota_used_up": false
  },
  "pacing": {
    "off": false,
    "interval": "2s",
    "jitter": 0.2,
    "burst": 3,
    "reply_interval": "0.25s",
    "reply_window": "86400s",
    "max_wait": "30s",
    "daily_limit": 0,
    "warm_up": {
      "days": 14,
      "first_day_limit": 20,
      "last_day_limit": 1000
    },
    "sessions": []
  },
  "log": {
    "level": "info"
  }
})EOF");
}

TEST_F(LoadSettingsTest, ReadsCallers) {
  const Settings settings = Load(R"({
    "listeners": {"grpc": {"address": "0.0.0.0:1", "trusted_identity_header": {"name": "X-Forwarded-Client-Cert",
                                                                               "from_addresses": ["127.0.0.6"]}},
                  "admin": {"address": "0.0.0.0:3", "token_sha256_file": "$D/digest"}},
    "accounts": [)" + account_ + R"(],
    "callers": [{"name": "shop", "token_sha256_file": "$D/digest", "methods": ["SendText"], "accounts": ["default"],
                 "session_ids": ["AAAAAAAA-2222-3333-4444-555555555555"], "max_streams": 5, "max_subscriptions": 6,
                 "sends_per_second": 0.5},
                {"name": "stock", "dns_name": "Stock.Example", "methods": ["*"], "accounts": ["*"],
                 "session_ids": ["*"]},
                {"name": "idle", "spiffe_id": "spiffe://a.b/c", "methods": ["*"]}]})");
  EXPECT_FALSE(settings.grpc.callers_optional);
  EXPECT_FALSE(settings.grpc.reflection);
  EXPECT_EQ(settings.admin.token_sha256_file, folder_.Path("digest"));
  ASSERT_TRUE(settings.grpc.trusted_identity_header.has_value());
  EXPECT_EQ(settings.grpc.trusted_identity_header->header, IdentityHeader::kForwardedClientCert);
  ASSERT_EQ(settings.callers.size(), 3u);
  const CallerSettings& shop = settings.callers[0];
  EXPECT_EQ(shop.name, "shop");
  EXPECT_EQ(shop.token_sha256_file, folder_.Path("digest"));
  EXPECT_FALSE(shop.methods.all);
  EXPECT_TRUE(shop.methods.Allows("SendText"));
  EXPECT_FALSE(shop.methods.Allows("SendImage"));
  EXPECT_THAT(shop.session_ids.names, ElementsAre("aaaaaaaa-2222-3333-4444-555555555555"));
  EXPECT_EQ(shop.max_streams, 5u);
  EXPECT_EQ(shop.max_subscriptions, 6u);
  EXPECT_EQ(shop.sends_per_second, 0.5);
  const CallerSettings& stock = settings.callers[1];
  EXPECT_EQ(stock.dns_name, "stock.example");
  EXPECT_TRUE(stock.methods.all && stock.accounts.all && stock.session_ids.all);
  EXPECT_EQ(stock.max_streams, 0u);
  EXPECT_EQ(settings.callers[2].spiffe_id, "spiffe://a.b/c");
  EXPECT_FALSE(settings.callers[2].accounts.Allows("default"));
  EXPECT_THAT(settings.warnings,
              ElementsAre(testing::StartsWith("listeners.grpc.tls: is absent, so callers' tokens cross the network"),
                          "callers[2]: accounts and session_ids let it use nothing: \"*\" stands for all, and an empty "
                          "list for none"));
}

TEST_F(LoadSettingsTest, WarnsOfCallersThatAreOptional) {
  const Settings settings = Load(R"({
    "listeners": {"grpc": {"callers_optional": true}}, "accounts": [)" +
                                 account_ + R"(],
    "callers": [{"name": "shop", "token_sha256_file": "$D/digest", "methods": ["*"], "accounts": ["*"],
                 "session_ids": ["*"]}]})");
  EXPECT_THAT(settings.warnings, ElementsAre(testing::StartsWith("listeners.grpc.callers_optional: is true")));
}

TEST_F(LoadSettingsTest, WhatItDescribesOfAFileCanBeLoadedAgain) {
  const TestCertificatePem pem = MakeTestCertificate("gateway");
  folder_.Write("cert", pem.certificate);
  folder_.Write("tls.key", pem.key);
  const std::string described = DescribeSettings(Load(R"({
    "listeners": {"grpc": {"address": "0.0.0.0:1", "tls": {"certificate_file": "$D/cert", "key_file": "$D/tls.key"},
                           "callers_optional": true, "reflection": true, "channelz": true,
                           "trusted_identity_header": {"name": "x-forwarded-client-cert",
                                                       "from_addresses": ["127.0.0.6", "10.1.0.0/16"]}},
                  "admin": {"address": "0.0.0.0:3", "token_sha256_file": "$D/digest"}},
    "callers": [{"name": "shop", "token_sha256_file": "$D/digest", "methods": ["SendText"], "accounts": ["*"],
                 "session_ids": ["11111111-2222-3333-4444-555555555555"], "max_streams": 5, "sends_per_second": 0.5},
                {"name": "orders", "spiffe_id": "spiffe://a.b/c", "methods": ["*"]},
                {"name": "stock", "dns_name": "Stock.Example"}],
    "store": {"retention": "3600.5s", "max_bytes": 99999999999},
    "accounts": [)" + account_ + R"(], "limits": {"streams": 7},
    "pacing": {"jitter": 0.3, "sessions": [{"session_id": "11111111-2222-3333-4444-555555555555", "burst": 9,
                                            "active_since": "2026-01-31"}]}, "log": {"level": "warn"}})"));
  EXPECT_EQ(DescribeSettings(Load(described)), described);
}

}  // namespace
}  // namespace aulm::gateway
