#include "tests/simulator/simulator.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/clock.h"

namespace aulm::simulator {

Simulator::Simulator(boost::asio::io_context& io, const Options& options)
    : io_(io),
      webhook_tls_(boost::asio::ssl::context::tls_client),
      options_(options),
      scheduler_(io),
      dice_(options.fault_rates),
      accounts_([this](std::string name) { return MakeAccount(std::move(name)); }),
      throttle_(options.auth_failure_limit, options.auth_cooldown),
      log_(options.record_limit),
      follow_up_(scheduler_, options.follow_up),
      api_({keys_, sessions_, accounts_, throttle_, plan_, dice_, log_, follow_up_}, options.api),
      blast_(io, webhook_tls_),
      control_({keys_, sessions_, accounts_, throttle_, plan_, dice_, log_, blast_}) {}

absl::StatusOr<std::unique_ptr<Simulator>> Simulator::Start(boost::asio::io_context& io, const Options& options) {
  std::unique_ptr<Simulator> simulator(new Simulator(io, options));
  if (absl::Status status = simulator->Configure(options); !status.ok()) return status;
  if (absl::Status status = simulator->Listen(options); !status.ok()) return status;
  return simulator;
}

Account Simulator::MakeAccount(std::string name) {
  auto webhooks = std::make_unique<DeliveryQueue>(io_, webhook_tls_, scheduler_, dice_, options_.deliveries);
  webhooks->SetSecret(options_.default_webhook_secret);
  return {std::move(name), Quota(options_.daily_limit, options_.trial_limit, absl::Now()), std::move(webhooks)};
}

absl::Status Simulator::Configure(const Options& options) {
  boost::system::error_code error;
  if (options.webhook_ca_file.empty()) {
    // The folder of hashed certificates alone: the bundle beside it would be read whole at every start.
    SSL_CTX_set_default_verify_dir(webhook_tls_.native_handle());
  } else {
    webhook_tls_.load_verify_file(options.webhook_ca_file, error);
    if (error) {
      return absl::InvalidArgumentError(
          absl::StrCat("--webhook-ca: cannot read PEM certificates from ", options.webhook_ca_file));
    }
  }
  for (const ApiKey& key : options.keys) {
    if (absl::Status status = keys_.Put(key); !status.ok()) return status;
  }
  for (const Session& session : options.sessions) {
    if (absl::Status status = sessions_.Put(session); !status.ok()) return status;
  }
  for (const auto& [name, url] : options.webhook_urls) {
    if (absl::Status status = accounts_.Get(name).webhooks->SetUrl(url); !status.ok()) return status;
  }
  for (const auto& [name, secret] : options.webhook_secrets) accounts_.Get(name).webhooks->SetSecret(secret);
  accounts_.Get("default");
  return absl::OkStatus();
}

absl::Status Simulator::Listen(const Options& options) {
  HttpServer::Settings settings{.listen = options.listen,
                                .tls_certificate_file = options.tls_certificate_file,
                                .tls_key_file = options.tls_key_file,
                                .idle_timeout = options.idle_timeout,
                                .max_body_bytes = options.max_request_bytes};
  absl::StatusOr<std::unique_ptr<HttpServer>> server = HttpServer::Start(io_, *this, settings);
  if (!server.ok()) return server.status();
  server_ = *std::move(server);
  if (options.control_listen.empty()) return absl::OkStatus();
  settings.listen = options.control_listen;
  settings.tls_certificate_file.clear();  // the control API is for tests on this machine: plain HTTP
  settings.tls_key_file.clear();
  settings.idle_timeout = absl::Hours(1);
  settings.max_body_bytes = size_t{256} << 20;
  server = HttpServer::Start(io_, *this, settings);
  if (!server.ok()) return server.status();
  control_server_ = *std::move(server);
  return absl::OkStatus();
}

HttpAnswer Simulator::Answer(const HttpRequest& request) {
  if (absl::StartsWith(request.path, "/_simulator")) return control_.Answer(request);
  return api_.Answer(request);
}

bool Simulator::DropUnread(absl::string_view method, absl::string_view target) {
  return !absl::StartsWith(target, "/_simulator") && api_.DropUnread(method, target);
}

}  // namespace aulm::simulator
