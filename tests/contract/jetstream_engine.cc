#include "tests/contract/jetstream_engine.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "service/storage/jetstream/jetstream_api.h"

namespace aulm::gateway {

JetStreamEngine::JetStreamEngine(std::string url) : url_(std::move(url)), prefix_(random_.Uuid()) { Reopen(); }

JetStreamEngine::~JetStreamEngine() {
  store_ = Store();
  for (const char* stream : {"", "KV_"}) {
    for (const char* name : {"-events", "-deliveries", "-state-test", "-state-test_b"}) {
      AskApi(absl::StrCat("STREAM.DELETE.", stream, prefix_, name));
    }
  }
}

void JetStreamEngine::Reopen() {
  store_ = Store();
  registry_ = std::make_unique<prometheus::Registry>();
  StoreOptions options;
  options.url = url_;
  options.nats.prefix = prefix_;
  absl::StatusOr<Store> store = OpenStore(options, clock_, random_, *registry_);
  ASSERT_TRUE(store.ok()) << store.status();
  store_ = *std::move(store);
}

void JetStreamEngine::ExpireEvents() {
  // What a stream's max_age does in a day, at once.
  AskApi(absl::StrCat("STREAM.PURGE.", prefix_, "-events"));
  while (log().Info().earliest != log().Info().head + 1) absl::SleepFor(absl::Milliseconds(5));
}

void JetStreamEngine::AskApi(const std::string& verb) {
  NatsServers servers;
  for (const absl::string_view server : absl::StrSplit(absl::StripPrefix(url_, "nats://"), ',')) {
    servers.urls.push_back(absl::StrCat("nats://", server));
  }
  auto connection = NatsConnection::Connect(servers, absl::Seconds(10), random_,
                                            {[] {}, [](const std::string&) {}, [](const absl::Status&) {}});
  ASSERT_TRUE(connection.ok()) << connection.status();
  auto requests = NatsRequests::Create(**connection, clock_);
  ASSERT_TRUE(requests.ok()) << requests.status();
  JetStreamApi(**requests).CallNow(verb, {}, absl::Seconds(10)).IgnoreError();
}

}  // namespace aulm::gateway
