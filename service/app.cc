#include "service/app.h"

#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <iterator>
#include <map>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "grpcpp/security/server_credentials.h"
#include "prometheus/registry.h"
#include "service/admin/admin_page.h"
#include "service/admin/admin_service.h"
#include "service/admin/build_info.h"
#include "service/admin/process_metrics.h"
#include "service/admin/readiness.h"
#include "service/aulm/aulm_client.h"
#include "service/aulm/curl_transport.h"
#include "service/base/log.h"
#include "service/base/span.h"
#include "service/base/system_clock.h"
#include "service/base/system_random.h"
#include "service/config/describe_settings.h"
#include "service/config/file_checks.h"
#include "service/config/secret_watcher.h"
#include "service/config/tls_watcher.h"
#include "service/events/event_hub.h"
#include "service/events/subscriptions/subscriptions.h"
#include "service/http/http_server.h"
#include "service/messaging/account_directory.h"
#include "service/messaging/labelling_event_log.h"
#include "service/messaging/lease.h"
#include "service/messaging/message_history.h"
#include "service/messaging/quotas.h"
#include "service/messaging/sender.h"
#include "service/messaging/sent_messages.h"
#include "service/messaging/session_reader.h"
#include "service/messaging/session_silence.h"
#include "service/messaging/session_watch.h"
#include "service/messaging/status_index.h"
#include "service/rpc/caller_directory.h"
#include "service/rpc/event_service.h"
#include "service/rpc/grpc_server.h"
#include "service/rpc/grpc_tls.h"
#include "service/rpc/messaging_service.h"
#include "service/rpc/quota_service.h"
#include "service/rpc/session_service.h"
#include "service/rpc/subscription_service.h"
#include "service/storage/store.h"
#include "service/webhook/webhook_service.h"

namespace aulm::gateway {
namespace {

// SIGTERM ends with an exit within 25 s: what each step of the stop may take of it.
constexpr absl::Duration kStopLimit = absl::Seconds(25);
constexpr absl::Duration kWebhookGrace = absl::Seconds(3);
constexpr absl::Duration kCallGrace = absl::Seconds(10);
constexpr absl::Duration kSettleGrace = absl::Seconds(8);
constexpr absl::Duration kAdminGrace = absl::Seconds(1);
// A session's state that was read so lately is not read again.
constexpr absl::Duration kSessionReadMaxAge = absl::Milliseconds(500);

StoreOptions ToStoreOptions(const Settings& settings) {
  StoreOptions options;
  options.url = settings.store.url;
  options.retention = settings.store.retention;
  options.max_bytes = static_cast<uint64_t>(settings.store.max_bytes);
  options.dedupe_retention = settings.store.dedupe_retention;
  options.max_body_bytes = settings.limits.webhook_body_bytes;
  const NatsSettings& nats = settings.store.nats;
  options.nats.prefix = nats.prefix;
  options.nats.replicas = nats.replicas;
  options.nats.synced = nats.synced;
  options.nats.servers.credentials_file = nats.credentials_file;
  options.nats.servers.tls = nats.tls;
  options.nats.servers.ca_file = nats.ca_file;
  options.nats.servers.certificate_file = nats.certificate_file;
  options.nats.servers.key_file = nats.key_file;
  options.on_fatal = [](const absl::Status& failure) {
    // After a failed fsync nobody knows what the disk holds, and in a log that was replaced nothing fits: only a new
    // start, which reads it anew, can tell.
    LogLine(LogLevel::kError, "store_failed").Field("message", failure.message());
    _exit(1);
  };
  return options;
}

WrongSignatureAnswer ToWrongSignatureAnswer(OnSignatureMismatch setting) {
  return setting == OnSignatureMismatch::kRetry ? WrongSignatureAnswer::kRetry : WrongSignatureAnswer::kReject;
}

std::vector<absl::string_view> Revealed(const SecretSnapshot& snapshot) {
  std::vector<absl::string_view> secrets;
  secrets.reserve(snapshot.secrets.size());
  for (const Secret& secret : snapshot.secrets) secrets.push_back(secret.Reveal());
  return secrets;
}

// A certificate is asked for where there is somebody to vouch for it, and required where nothing else could say who
// calls.
ClientCertificates ClientCertificatesOf(const Settings& settings) {
  if (!settings.grpc.tls.has_value() || settings.grpc.tls->client_ca_file.empty()) return ClientCertificates::kNone;
  bool others = settings.grpc.trusted_identity_header.has_value();
  for (const CallerSettings& caller : settings.callers) others |= !caller.token_sha256_file.empty();
  others |= settings.grpc.callers_optional && !settings.callers.empty();
  return others ? ClientCertificates::kAsked : ClientCertificates::kRequired;
}

// Said once at the start, so that nobody wonders why sends wait.
void LogPacing(const Settings& settings) {
  const Pace& pace = settings.paces.general;
  LogLine(LogLevel::kInfo, "pacing")
      .Field("on_for_live_keys", !pace.off)
      .Field("interval_ms", pace.interval)
      .Field("burst", pace.burst)
      .Field("reply_interval_ms", pace.reply_interval)
      .Field("sessions_with_their_own", settings.paces.by_session.size());
}

// Which replica this is, for people: the pod's name.
std::string HostName() {
  char name[256] = {};
  return gethostname(name, sizeof(name) - 1) == 0 ? name : "";
}

TlsPem ToPem(const TlsMaterial& material) { return {material.certificate_chain, material.key.Reveal()}; }

}  // namespace

// Everything, in the order of construction: what stands below uses what stands above, and goes first.
class App::Parts {
 public:
  absl::Status Start(const Settings& settings);
  void AnnounceStop();
  void Stop();

  const std::string& grpc_address() const { return grpc_->address(); }
  const std::string& webhook_address() const { return webhook_server_->address(); }
  const std::string& admin_address() const { return admin_server_->address(); }

 private:
  absl::Status OpenTheStore(const Settings& settings);
  absl::Status AddAccounts(const Settings& settings);
  void MakeSessionWatch(const Settings& settings);
  absl::Status StartGrpc(const Settings& settings);
  // Plaintext without `tls`; else TLS whose files are followed.
  absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> GrpcCredentials(const Settings& settings);
  absl::Status StartWebhooks(const Settings& settings);
  absl::Status StartAdmin(const Settings& settings);
  // Starts an HTTP listener, whose certificate follows its files.
  absl::Status StartHttp(HttpServerOptions options, const std::optional<TlsSettings>& tls, HttpService& service,
                         std::unique_ptr<HttpServer>& server);

  prometheus::Registry registry_;
  SystemClock clock_;
  SystemRandom random_;
  Readiness readiness_;
  ProcessMetrics process_metrics_;
  std::unique_ptr<FileChecks> file_checks_;
  std::unique_ptr<SecretWatcher> secrets_;
  std::unique_ptr<TlsWatcher> certificates_;
  Store store_;
  std::unique_ptr<AulmMetrics> aulm_metrics_;
  std::unique_ptr<CurlTransport> transport_;
  AccountDirectory accounts_;
  std::vector<WebhookAccount> webhook_accounts_;
  std::unique_ptr<RequestLedger> ledger_;
  std::shared_ptr<SentMessages> sent_messages_;
  std::shared_ptr<StatusIndex> statuses_;
  std::shared_ptr<Quotas> quotas_;
  SessionSilence silence_;
  std::shared_ptr<SessionReader> session_reader_;
  std::shared_ptr<Lease> watch_lease_;
  std::shared_ptr<SessionWatch> session_watch_;
  std::unique_ptr<LabellingEventLog> webhook_log_;
  std::unique_ptr<MessageHistory> history_;
  RecentPeers recent_peers_;
  std::unique_ptr<Pacer> pacer_;
  std::unique_ptr<RetryPolicy> retries_;
  std::shared_ptr<SendSlots> send_slots_;
  std::unique_ptr<Sender> sender_;
  std::unique_ptr<EventsMetrics> events_metrics_;
  std::unique_ptr<EventHub> hub_;
  std::unique_ptr<Subscriptions> subscriptions_;
  std::unique_ptr<CallerDirectory> callers_;
  std::unique_ptr<RpcMetrics> rpc_metrics_;
  std::unique_ptr<MessagingService> messaging_service_;
  std::unique_ptr<SessionService> session_service_;
  std::unique_ptr<QuotaService> quota_service_;
  std::unique_ptr<EventService> event_service_;
  std::unique_ptr<SubscriptionService> subscription_service_;
  std::unique_ptr<GrpcTls> grpc_tls_;
  std::unique_ptr<GrpcServer> grpc_;
  std::unique_ptr<WebhookMetrics> webhook_metrics_;
  std::unique_ptr<WebhookService> webhook_service_;
  std::unique_ptr<HttpServer> webhook_server_;
  std::unique_ptr<AdminPage> admin_page_;
  std::unique_ptr<AdminService> admin_service_;
  std::unique_ptr<HttpServer> admin_server_;
};

absl::Status App::Parts::Start(const Settings& settings) {
  readiness_.SetNotReady("gateway", "starting");
  StartTracing(HostName());
  file_checks_ = std::make_unique<FileChecks>(clock_);
  secrets_ = std::make_unique<SecretWatcher>(*file_checks_, registry_);
  certificates_ = std::make_unique<TlsWatcher>(*file_checks_, registry_);
  if (absl::Status status = OpenTheStore(settings); !status.ok()) return status;
  if (absl::Status status = AddAccounts(settings); !status.ok()) return status;
  if (absl::Status status = StartGrpc(settings); !status.ok()) return status;
  if (absl::Status status = StartWebhooks(settings); !status.ok()) return status;
  if (absl::Status status = StartAdmin(settings); !status.ok()) return status;
  grpc_->SetServing(true);
  readiness_.SetReady("gateway");
  return absl::OkStatus();
}

absl::Status App::Parts::OpenTheStore(const Settings& settings) {
  StoreOptions options = ToStoreOptions(settings);
  options.on_health = [this](const absl::Status& health) {
    if (health.ok()) return readiness_.SetReady("store");
    readiness_.SetNotReady("store", health.message());
  };
  readiness_.SetReady("store");
  absl::StatusOr<Store> store = OpenStore(options, clock_, random_, registry_);
  if (!store.ok()) return store.status();
  store_ = *std::move(store);
  return absl::OkStatus();
}

absl::Status App::Parts::AddAccounts(const Settings& settings) {
  aulm_metrics_ = std::make_unique<AulmMetrics>(registry_);
  webhook_metrics_ = std::make_unique<WebhookMetrics>(registry_);
  CurlTransportOptions transport;
  transport.stop_grace = kSettleGrace;
  transport_ = std::make_unique<CurlTransport>(transport, *aulm_metrics_);
  // aulm's cooldown is of our address, and who reaches aulm for one account reaches it for all of one base URL.
  std::map<std::string, std::shared_ptr<AulmAddress>> addresses;
  for (const AccountSettings& account : settings.accounts) {
    auto key = secrets_->Watch({account.name, SecretFormat::kApiKey, {account.api_key}, {}});
    if (!key.ok()) return key.status();
    AulmClient::Options options;
    options.account = account.name;
    options.base_url = account.base_url;
    options.settle_limit = settings.limits.send_settle;
    options.api_key = [watched = *key] {
      const WatchedSecrets::Snapshot current = watched->Current();
      return ApiKey{std::string(current->secrets.front().Reveal()), current->generation};
    };
    std::shared_ptr<AulmAddress>& address = addresses[account.base_url];
    if (address == nullptr) address = std::make_shared<AulmAddress>();
    auto client = AulmClient::Create(std::move(options), *transport_, address, clock_, *aulm_metrics_);
    if (!client.ok()) return client.status();
    accounts_.Add(*std::move(client), account.session_ids);

    auto keys = std::make_shared<WebhookSecrets>();
    auto signing =
        secrets_->Watch({account.name, SecretFormat::kWebhookSecrets, account.webhook_secrets,
                         [keys](const WatchedSecrets::Snapshot& snapshot) { keys->Replace(Revealed(*snapshot)); }});
    if (!signing.ok()) return signing.status();
    keys->Replace(Revealed(*(*signing)->Current()));
    webhook_accounts_.push_back({account.name, keys, ToWrongSignatureAnswer(account.on_signature_mismatch)});
  }
  RequestLedger::Options ledger;
  ledger.owner = std::string(store_.peers->Self());
  ledger.sole_owner = !store_.shared;
  ledger.settle_limit = settings.limits.send_settle;
  ledger.retention = settings.sends.request_id_retention;
  ledger.message_retention = settings.store.retention;
  ledger_ = std::make_unique<RequestLedger>(ledger, *store_.state, clock_, registry_);
  retries_ = std::make_unique<RetryPolicy>(RetryPolicy::Options{}, random_);
  pacer_ = std::make_unique<Pacer>(settings.paces, recent_peers_, *store_.state, clock_, random_, registry_);
  LogPacing(settings);
  SentMessages::Options messages;
  messages.on_sent = [this](absl::string_view account, const SendResult& result) {
    if (!result.simulated) silence_.NoteSent(account, result.session_id, clock_.Now());
  };
  if (store_.shared) messages.elsewhere = SendsElsewhere::Create(*store_.peers, clock_);
  sent_messages_ = SentMessages::Create(std::move(messages), *store_.state, clock_, registry_);
  statuses_ = StatusIndex::Create(settings.store.retention, *store_.state, clock_);
  webhook_log_ = std::make_unique<LabellingEventLog>(*store_.log, *sent_messages_, *statuses_);
  history_ = std::make_unique<MessageHistory>(accounts_, *ledger_, *statuses_, *store_.state);
  Quotas::Options quotas;
  quotas.refuse_when_used_up = settings.sends.refuse_when_quota_used_up;
  quotas_ = Quotas::Create(quotas, *store_.state, clock_, registry_);
  for (const AccountSettings& account : settings.accounts) quotas_->Load(account.name);
  send_slots_ = std::make_shared<SendSlots>(settings.limits.max_in_flight_sends, registry_);
  sender_ = std::make_unique<Sender>(accounts_, *ledger_, *sent_messages_, *quotas_, *pacer_, *retries_, *send_slots_,
                                     clock_);
  return absl::OkStatus();
}

void App::Parts::MakeSessionWatch(const Settings& settings) {
  std::vector<SessionWatch::Session> sessions;
  for (const AccountSettings& account : settings.accounts) {
    if (account.session_poll_interval == absl::ZeroDuration()) continue;
    for (const std::string& id : account.session_ids) {
      sessions.push_back({accounts_.Find(account.name), id, account.session_poll_interval, account.suspect_after});
    }
  }
  session_reader_ = SessionReader::Create(kSessionReadMaxAge, clock_);
  Lease::Options lease;
  lease.name = "session_watch";
  lease.owner = std::string(store_.peers->Self());
  lease.sole_owner = !store_.shared;
  watch_lease_ = Lease::Create(lease, *store_.state, clock_);
  const bool any = !sessions.empty();
  session_watch_ =
      SessionWatch::Create({*session_reader_, silence_, *watch_lease_, *store_.log, *store_.state, clock_, random_,
                            [this](absl::AnyInvocable<void()&&> job) { hub_->Post(std::move(job)); }},
                           std::move(sessions), registry_);
  session_reader_->Observe(
      [this](absl::string_view account, absl::string_view session_id, const SessionReader::Reading& reading) {
        session_watch_->Note(account, session_id, reading);
      });
  if (!any) return;
  watch_lease_->Start();
  session_watch_->Start();
}

absl::Status App::Parts::StartGrpc(const Settings& settings) {
  const LimitSettings& limits = settings.limits;
  events_metrics_ = std::make_unique<EventsMetrics>(registry_);
  EventHubOptions hub;
  hub.ring_bytes = limits.ring_bytes;
  // By the log, so that who wrote through another replica is known here, too.
  hub.on_events = [this](const EventPage& page) { recent_peers_.Note(page); };
  hub_ = std::make_unique<EventHub>(*store_.log, clock_, *events_metrics_, hub);
  if (absl::Status status = hub_->Start(); !status.ok()) return status;
  // Until it is through, answers are paced as cold sends.
  hub_->Post(
      [this, since = clock_.Now() - settings.paces.general.reply_window] { recent_peers_.Refill(*store_.log, since); });
  hub_->Post([this] { statuses_->CatchUp(*store_.log); });
  MakeSessionWatch(settings);

  auto callers = CallerDirectory::Create(settings, *secrets_, clock_, registry_);
  if (!callers.ok()) return callers.status();
  callers_ = *std::move(callers);
  const CallEnvironment calls{*callers_, clock_, limits.default_deadline};
  rpc_metrics_ = std::make_unique<RpcMetrics>(registry_);
  messaging_service_ = std::make_unique<MessagingService>(calls, limits.max_image_bytes, accounts_, *sender_, *history_,
                                                          *hub_, *rpc_metrics_, random_);
  session_service_ =
      std::make_unique<SessionService>(calls, accounts_, *session_reader_, *session_watch_, *rpc_metrics_);
  quota_service_ = std::make_unique<QuotaService>(calls, accounts_, *quotas_, *rpc_metrics_);
  EventServiceOptions events;
  events.max_streams = limits.streams;
  events.stream_max_age = limits.stream_max_age;
  events.stream_stall = limits.stream_stall;
  SubscriptionsOptions subscriptions;
  subscriptions.max_subscriptions = limits.subscriptions;
  subscriptions.max_consumers = limits.streams;
  subscriptions.stream.max_age = limits.stream_max_age;
  subscriptions.visibility_of = [this](absl::string_view caller) { return callers_->VisibilityOf(caller); };
  subscriptions_ = std::make_unique<Subscriptions>(*hub_, *store_.state, *store_.peers, clock_, random_,
                                                   *events_metrics_, registry_, subscriptions);
  store_.peers->Answer([this](const std::string& question, PeerChannel::AskCallback answer) {
    subscriptions_->AnswerPeer(question, std::move(answer));
  });
  event_service_ = std::make_unique<EventService>(calls, events, *hub_, *events_metrics_, *rpc_metrics_, random_,
                                                  subscriptions_.get());
  subscription_service_ = std::make_unique<SubscriptionService>(calls, *subscriptions_, *rpc_metrics_);

  GrpcServerOptions server;
  server.address = ToString(settings.grpc.address);
  server.reflection = settings.grpc.reflection;
  server.channelz = settings.grpc.channelz;
  server.memory_bytes = limits.grpc_memory_bytes;
  server.threads = limits.grpc_threads;
  server.calls_per_connection = limits.calls_per_connection;
  server.header_list_bytes = limits.header_list_bytes;
  server.keepalive_interval = limits.keepalive_interval;
  server.keepalive_timeout = limits.keepalive_timeout;
  server.min_ping_interval = limits.min_ping_interval;
  auto credentials = GrpcCredentials(settings);
  if (!credentials.ok()) return credentials.status();
  server.credentials = *std::move(credentials);
  auto grpc = GrpcServer::Start(server, {{v1::MessagingService::service_full_name(), messaging_service_.get()},
                                         {v1::SessionService::service_full_name(), session_service_.get()},
                                         {v1::QuotaService::service_full_name(), quota_service_.get()},
                                         {v1::EventService::service_full_name(), event_service_.get()},
                                         {v1::SubscriptionService::service_full_name(), subscription_service_.get()}});
  if (!grpc.ok()) return grpc.status();
  grpc_ = *std::move(grpc);
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> App::Parts::GrpcCredentials(const Settings& settings) {
  if (!settings.grpc.tls.has_value()) return grpc::InsecureServerCredentials();
  grpc_tls_ = std::make_unique<GrpcTls>(ClientCertificatesOf(settings));
  const auto use = [this](const TlsMaterial& material) {
    grpc_tls_->Use(material);
    return absl::OkStatus();
  };
  if (absl::Status status = certificates_->Watch({"grpc", *settings.grpc.tls, use}, use); !status.ok()) return status;
  return grpc_tls_->Credentials();
}

absl::Status App::Parts::StartWebhooks(const Settings& settings) {
  WebhookOptions options;
  options.max_in_flight = settings.limits.webhooks_in_flight;
  options.on_verified = [this](const NewEvent& event) {
    if (event.test) return;
    if (event.type == v1::EVENT_TYPE_MESSAGE_STATUS) silence_.NoteStatus(event.account, event.session_id);
  };
  webhook_service_ =
      std::make_unique<WebhookService>(options, std::move(webhook_accounts_), clock_, *webhook_log_, *webhook_metrics_);
  HttpServerOptions server;
  server.name = "webhook";
  server.setting = "GATEWAY_WEBHOOK_LISTEN";
  server.address = ToString(settings.webhook.address);
  server.limits.body_bytes = settings.limits.webhook_body_bytes;
  server.limits.connections = settings.limits.webhook_connections;
  server.limits.connections_per_address = settings.limits.webhook_connections_per_address;
  return StartHttp(std::move(server), settings.webhook.tls, *webhook_service_, webhook_server_);
}

absl::Status App::Parts::StartAdmin(const Settings& settings) {
  RegisterBuildInfo(GetBuildInfo(), registry_);
  const std::vector<const prometheus::Collectable*> metrics = {&registry_, &process_metrics_};
  std::vector<std::pair<std::string, std::string>> sessions;
  for (const AccountSettings& account : settings.accounts) {
    for (const std::string& id : account.session_ids) sessions.emplace_back(account.name, id);
  }
  PageAccess::Options access;
  access.secure = settings.admin.tls.has_value();
  if (!settings.admin.token_sha256_file.empty()) {
    auto watched = secrets_->Watch({.account = "",
                                    .format = SecretFormat::kTokenDigests,
                                    .sources = {{.file = settings.admin.token_sha256_file, .value = Secret()}},
                                    .on_change = {},
                                    .caller = "admin page"});
    if (!watched.ok()) return watched.status();
    access.token_digests = [digests = *watched] {
      std::vector<std::string> all;
      for (const Secret& each : digests->Current()->secrets) all.emplace_back(each.Reveal());
      return all;
    };
  }
  admin_page_ = std::make_unique<AdminPage>(
      OverviewSources{readiness_, metrics, *hub_, *subscriptions_, event_service_->streams(), *session_watch_, *pacer_,
                      clock_, HostName(), std::move(sessions)},
      std::move(access), random_, DescribeSettings(settings));
  admin_service_ = std::make_unique<AdminService>(readiness_, metrics, admin_page_.get());
  HttpServerOptions server;
  server.name = "admin";
  server.setting = "GATEWAY_ADMIN_LISTEN";
  server.address = ToString(settings.admin.address);
  server.limits.connections = 64;
  server.limits.body_bytes = 4 << 10;  // a token at most
  return StartHttp(std::move(server), settings.admin.tls, *admin_service_, admin_server_);
}

absl::Status App::Parts::StartHttp(HttpServerOptions options, const std::optional<TlsSettings>& tls,
                                   HttpService& service, std::unique_ptr<HttpServer>& server) {
  const auto start = [&] {
    auto started = HttpServer::Start(std::move(options), &service);
    if (!started.ok()) return started.status();
    server = *std::move(started);
    return absl::OkStatus();
  };
  if (!tls.has_value()) return start();
  return certificates_->Watch(
      {options.name, *tls, [&server](const TlsMaterial& fresh) { return server->SetTls(ToPem(fresh)); }},
      [&](const TlsMaterial& first) {
        options.tls = ToPem(first);
        return start();
      });
}

void App::Parts::AnnounceStop() {
  readiness_.SetNotReady("gateway", "draining");
  if (grpc_ != nullptr) grpc_->SetServing(false);
}

void App::Parts::Stop() {
  absl::Notification stopped;
  std::thread limit([&stopped] {
    if (stopped.WaitForNotificationWithTimeout(kStopLimit)) return;
    LogLine(LogLevel::kError, "stop_took_too_long").Field("limit_ms", kStopLimit);
    _exit(0);  // nothing that was answered is lost: it was durable first
  });
  AnnounceStop();
  if (file_checks_ != nullptr) file_checks_->Stop();
  if (admin_page_ != nullptr) admin_page_->Stop();
  if (session_watch_ != nullptr) session_watch_->Stop();
  if (watch_lease_ != nullptr) watch_lease_->Stop();
  if (webhook_service_ != nullptr) webhook_service_->Drain();
  if (webhook_server_ != nullptr) webhook_server_->Stop(kWebhookGrace);
  if (sent_messages_ != nullptr) sent_messages_->Close();
  if (event_service_ != nullptr) event_service_->Drain();
  if (grpc_ != nullptr) grpc_->Shutdown(kCallGrace, *rpc_metrics_);
  if (subscriptions_ != nullptr) subscriptions_->Stop();
  if (hub_ != nullptr) hub_->Stop();
  if (transport_ != nullptr) transport_->Stop();
  if (admin_server_ != nullptr) admin_server_->Stop(kAdminGrace);
  // Timers write to the store, too.
  clock_.Stop();
  store_.engine.reset();
  StopTracing();
  stopped.Notify();
  limit.join();
}

absl::StatusOr<std::unique_ptr<App>> App::Start(const Settings& settings) {
  auto parts = std::make_unique<Parts>();
  if (absl::Status status = parts->Start(settings); !status.ok()) {
    parts->Stop();
    return status;
  }
  return std::unique_ptr<App>(new App(std::move(parts)));
}

App::App(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

App::~App() { Stop(); }

const std::string& App::grpc_address() const { return parts_->grpc_address(); }
const std::string& App::webhook_address() const { return parts_->webhook_address(); }
const std::string& App::admin_address() const { return parts_->admin_address(); }

void App::AnnounceStop() { parts_->AnnounceStop(); }

void App::Stop() {
  if (stopped_) return;
  stopped_ = true;
  parts_->Stop();
}

absl::Status CheckStore(const Settings& settings) {
  prometheus::Registry registry;
  SystemClock clock;
  SystemRandom random;
  StoreOptions options = ToStoreOptions(settings);
  options.must_exist = true;
  absl::StatusOr<Store> store = OpenStore(options, clock, random, registry);
  if (!store.ok()) return store.status();
  return store->full_check();
}

absl::Status CopyStore(const Settings& settings, const std::string& from, const std::string& to) {
  SystemClock clock;
  SystemRandom random;
  StoreOptions target = ToStoreOptions(settings);
  target.url = to;
  const auto tell = [](const char* what, const CopiedStore& copied) {
    std::printf("%s %llu events, %llu delivery ids, %llu entries of state\n", what,
                static_cast<unsigned long long>(copied.events), static_cast<unsigned long long>(copied.deliveries),
                static_cast<unsigned long long>(copied.entries));
    std::fflush(stdout);
  };
  const absl::StatusOr<CopiedStore> copied =
      CopyStore(from, target, clock, random, [&](const CopiedStore& sofar) { tell("copying:", sofar); });
  if (!copied.ok()) return copied.status();
  tell("copied", *copied);
  return absl::OkStatus();
}

}  // namespace aulm::gateway
