// Bytes of one connection to the webhook listener as it runs: socket, server, signature, decoder, log. The input's
// first byte says in what pieces it is sent; $SIG in it becomes the signature of what stands behind the first empty
// line, so that deliveries get through. Whatever comes: every delivery that was verified is answered 200 and nothing
// else is, the connection ends, and a good delivery afterwards is taken.
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"
#include "prometheus/registry.h"
#include "service/base/log.h"
#include "service/http/http_server.h"
#include "service/webhook/webhook_service.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fake_event_log.h"
#include "tests/support/raw_http_client.h"

namespace {

using namespace aulm::gateway;  // NOLINT(google-build-using-namespace): outside every namespace

void Check(bool holds, absl::string_view what) {
  if (holds) return;
  std::fprintf(stderr, "%s\n", std::string(what).c_str());
  abort();
}

std::string Signature(absl::string_view body) {
  static const std::unique_ptr<SigningKey>& key = *new std::unique_ptr<SigningKey>(SigningKey::Create("secret"));
  const SignatureDigest digest = *key->Sign(body);
  return absl::StrCat("sha256=", absl::BytesToHexString(
                                     absl::string_view(reinterpret_cast<const char*>(digest.data()), digest.size())));
}

std::string Signed(absl::string_view input) {
  const size_t end = input.find("\r\n\r\n");
  const absl::string_view body = end == absl::string_view::npos ? absl::string_view() : input.substr(end + 4);
  return absl::StrReplaceAll(input, {{"$SIG", Signature(body)}});
}

// The listener, and the log behind it; lives as long as the process.
struct Listener {
  Listener() {
    StartLog(LogLevel::kError);  // a refusal is no news here
    HttpServerOptions options;
    options.name = "webhook";
    options.address = "127.0.0.1:0";
    // No time runs out here, however busy the machine: a peer that has said all it has to say is never waited for.
    for (absl::Duration* limit : {&options.limits.header_time, &options.limits.body_time, &options.limits.answer_time,
                                  &options.limits.write_time, &options.limits.idle_time, &options.limits.linger_time}) {
      *limit = absl::Hours(1);
    }
    options.limits.header_bytes = 2048;
    options.limits.body_bytes = 4096;
    auto started = HttpServer::Start(std::move(options), &service);
    if (!started.ok()) abort();
    server = *std::move(started);
  }

  FakeClock clock;
  FakeEventLog log{&clock};
  prometheus::Registry registry;
  WebhookMetrics metrics{registry};
  std::atomic<size_t> verified = 0;
  WebhookService service{{.on_verified = [this](const NewEvent&) { ++verified; }},
                         {{"default", std::make_shared<WebhookSecrets>(std::vector<absl::string_view>{"secret"}),
                           WrongSignatureAnswer::kReject}},
                         clock,
                         log,
                         metrics};
  std::unique_ptr<HttpServer> server;
};

// The statuses that a peer is answered with, up to the end of its connection.
std::vector<int> Exchange(const std::string& address, absl::string_view bytes, size_t piece) {
  RawHttpClient client(address);
  Check(client.connected(), "the listener cannot be reached");
  while (!bytes.empty() && client.Send(bytes.substr(0, piece))) bytes.remove_prefix(std::min(piece, bytes.size()));
  client.EndSending();
  std::vector<int> statuses;
  while (true) {
    const RawReply reply = client.ReadReply();
    if (reply.status == 0) break;
    statuses.push_back(reply.status);
  }
  // Both sides have said goodbye: a reset now keeps the port from waiting, of which there are not enough for this.
  const linger reset{1, 0};
  setsockopt(client.descriptor(), SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
  return statuses;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static Listener& listener = *new Listener();
  if (size == 0) return 0;
  const std::string bytes = Signed({reinterpret_cast<const char*>(data) + 1, size - 1});
  const size_t piece = data[0] == 0 ? bytes.size() + 1 : data[0];

  const size_t before = listener.verified;
  const std::vector<int> statuses = Exchange(listener.server->address(), bytes, piece);
  // The answer to HEAD has a length and no body: who does not know what was asked cannot read what follows.
  if (!absl::StrContains(bytes, "HEAD ")) {
    const auto taken = static_cast<size_t>(std::count(statuses.begin(), statuses.end(), 200));
    Check(taken == listener.verified - before,
          absl::StrCat(listener.verified - before, " deliveries were verified, ", taken, " were answered 200"));
  }
  listener.log.Trim(listener.log.Info().head + 1);

  static uint64_t sent = 0;
  const std::string body = absl::StrCat(R"({"event":"inbound_message","delivery_id":"good-)", ++sent, R"("})");
  const std::vector<int> good =
      Exchange(listener.server->address(),
               absl::StrCat("POST /webhooks/aulm HTTP/1.1\r\nHost: a\r\nX-Aulm-Signature: ", Signature(body),
                            "\r\nContent-Length: ", body.size(), "\r\n\r\n", body),
               size_t{1} << 20);
  Check(good == std::vector<int>{200}, "a good delivery afterwards is not taken");
  return 0;
}
