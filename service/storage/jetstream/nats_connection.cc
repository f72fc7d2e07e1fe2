#include "service/storage/jetstream/nats_connection.h"

#include <pthread.h>

#include <algorithm>
#include <array>
#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "service/base/log.h"

namespace aulm::gateway {
namespace {

constexpr int64_t kConnectTimeoutMs = 2000;
constexpr int64_t kWriteDeadlineMs = 2000;
// A server that hangs is left after two pings without an answer.
constexpr int64_t kPingIntervalMs = 2000;
constexpr int kMaxPingsOut = 2;
constexpr int kBufferBytes = 256 << 10;
constexpr absl::Duration kBetweenTries = absl::Milliseconds(200);
constexpr int64_t kFirstReconnectDelayMs = 50;
constexpr int64_t kLongestReconnectDelayMs = 5000;
// Of all servers, one after the other, until it has no sense to go on.
constexpr size_t kMostRefusals = 2;

// On the loop where nats.c has its own threads: each message is posted to it.
class PostingSubscription final : public NatsConnection::Subscription {
 public:
  PostingSubscription(NatsLoop& loop, NatsLoop::Receiver receiver)
      : loop_(loop), shared_(std::make_shared<Shared>(Shared{std::move(receiver)})) {}

  ~PostingSubscription() override {
    subscription_.reset();
    // What was posted finds nobody any more.
    const auto end = [shared = shared_] { shared->over = true; };
    if (loop_.IsHere()) {
      end();
    } else {
      loop_.Post(end);
      loop_.Flush();
    }
  }

  absl::Status Start(NatsConnection& connection, const std::string& subject) {
    auto subscription = connection.Subscribe(subject, [&loop = loop_, shared = shared_](NatsMessage message) {
      loop.Post([shared, message = std::move(message)]() mutable {
        if (shared->over) return;
        if (message.IsNoResponders()) return shared->receiver.on_nobody();
        shared->receiver.on_message(std::move(message));
      });
    });
    if (!subscription.ok()) return subscription.status();
    subscription_ = *std::move(subscription);
    return absl::OkStatus();
  }

 private:
  struct Shared {
    NatsLoop::Receiver receiver;
    bool over = false;  // of the loop's thread
  };

  NatsLoop& loop_;
  const std::shared_ptr<Shared> shared_;
  std::unique_ptr<NatsConnection::Subscription> subscription_;
};

std::string LastErrorOf(natsConnection* connection) {
  const char* error = nullptr;
  natsConnection_GetLastError(connection, &error);
  return error == nullptr || *error == '\0' ? "the connection broke" : error;
}

// host:port of nats://user:password@host:port.
std::string AddressOf(absl::string_view url) {
  if (const size_t scheme = url.find("://"); scheme != absl::string_view::npos) url.remove_prefix(scheme + 3);
  if (const size_t user = url.rfind('@'); user != absl::string_view::npos) url.remove_prefix(user + 1);
  return std::string(url);
}

bool IsRefusal(natsStatus status) {
  return status == NATS_CONNECTION_AUTH_FAILED || status == NATS_SECURE_CONNECTION_REQUIRED ||
         status == NATS_SECURE_CONNECTION_WANTED || status == NATS_SSL_ERROR || status == NATS_INVALID_ARG ||
         status == NATS_NOT_PERMITTED;
}

}  // namespace

absl::Status NatsError(natsStatus status, absl::string_view what) {
  if (status == NATS_OK) return absl::OkStatus();
  const std::string message = absl::StrCat("nats: ", what, ": ", natsStatus_GetText(status));
  if (status == NATS_MAX_PAYLOAD) return absl::ResourceExhaustedError(message);
  return absl::UnavailableError(message);
}

// Registered as long as it lives, so that the next connection has it, too.
class NatsConnection::RegisteredSubscription final : public Subscription {
 public:
  RegisteredSubscription(NatsConnection& connection, std::unique_ptr<NatsSubscription> subscription)
      : connection_(connection), subscription_(std::move(subscription)) {}
  ~RegisteredSubscription() override { connection_.Forget(subscription_.get()); }

 private:
  NatsConnection& connection_;
  const std::unique_ptr<NatsSubscription> subscription_;
};

absl::StatusOr<std::unique_ptr<NatsConnection>> NatsConnection::Connect(const NatsServers& servers,
                                                                        absl::Duration limit, Random& random,
                                                                        Listeners listeners) {
  std::unique_ptr<NatsConnection> connection(new NatsConnection(random, std::move(listeners)));
  natsOptions* options = nullptr;
  if (const natsStatus made = natsOptions_Create(&options); made != NATS_OK) return NatsError(made, "options");
  connection->options_.reset(options);
  if (absl::Status bad = connection->Configure(servers); !bad.ok()) return bad;
  auto link = std::make_shared<Link>(*connection);
  connection->ListenTo(*link);
  const absl::Time deadline = absl::Now() + limit;
  while (true) {
    const natsStatus status = natsConnection_Connect(&link->connection, options);
    if (status == NATS_OK) break;
    if (IsRefusal(status)) {
      return absl::FailedPreconditionError(
          absl::StrCat("store.url: the NATS server refuses the connection (", natsStatus_GetText(status),
                       "): check its user, store.nats.credentials_file and store.nats.tls"));
    }
    if (absl::Now() >= deadline) {
      return absl::UnavailableError(absl::StrCat("store.url: no NATS server can be reached (",
                                                 natsStatus_GetText(status),
                                                 "): check the addresses, and that one of them runs"));
    }
    absl::SleepFor(kBetweenTries);
  }
  connection->NoteServers(*link);
  {
    absl::MutexLock lock(&connection->mutex_);
    connection->connected_ = !link->over;
    connection->link_ = std::move(link);
  }
  if (connection->driven_) {
    connection->reconnecting_ = std::thread([self = connection.get()] { self->KeepConnected(); });
  }
  return connection;
}

absl::Status NatsConnection::Configure(const NatsServers& servers) {
  natsOptions* const options = options_.get();
  servers_ = servers.urls;
  std::vector<const char*> urls;
  bool tls = servers.tls || !servers.ca_file.empty() || !servers.certificate_file.empty();
  for (const std::string& url : servers.urls) {
    urls.push_back(url.c_str());
    tls = tls || url.rfind("tls://", 0) == 0;
  }
  const auto fails = [](natsStatus status, absl::string_view what) {
    if (status == NATS_OK) return absl::OkStatus();
    const char* const detail = nats_GetLastError(nullptr);
    return absl::InvalidArgumentError(
        absl::StrCat(what, ": ", natsStatus_GetText(status), detail == nullptr ? "" : absl::StrCat(" (", detail, ")")));
  };
  absl::Status status = fails(natsOptions_SetServers(options, urls.data(), static_cast<int>(urls.size())),
                              "store.url: names no NATS server; use nats://host:4222,host:4222");
  if (!status.ok()) return absl::InvalidArgumentError(status.message().substr(0, 80));  // nothing of the URL itself
  if (!servers.credentials_file.empty()) {
    status = fails(natsOptions_SetUserCredentialsFromFiles(options, servers.credentials_file.c_str(), nullptr),
                   "store.nats.credentials_file");
    if (!status.ok()) return status;
  }
  if (tls) {
    status.Update(fails(natsOptions_SetSecure(options, true), "store.nats.tls"));
    if (!servers.ca_file.empty()) {
      status.Update(
          fails(natsOptions_LoadCATrustedCertificates(options, servers.ca_file.c_str()), "store.nats.tls.ca_file"));
    }
    if (!servers.certificate_file.empty()) {
      status.Update(
          fails(natsOptions_LoadCertificatesChain(options, servers.certificate_file.c_str(), servers.key_file.c_str()),
                "store.nats.tls.certificate_file"));
    }
    if (!status.ok()) return status;
  }
  // nats.c waits inside a read or a write of TLS until it can go on, whoever drives it.
  driven_ = !tls;
  if (driven_) {
    status = fails(loop_.Drive(options), "store.url: the connection cannot be driven");
    // So nats.c must not turn to TLS by itself where a server asks for it: no certificate has this name.
    status.Update(fails(natsOptions_SetExpectedHostname(options, "not-configured.invalid"), "store.nats.tls"));
    if (!status.ok()) return status;
  }
  natsOptions_SetName(options, "aulm-gateway");
  natsOptions_SetTimeout(options, kConnectTimeoutMs);
  natsOptions_SetWriteDeadline(options, kWriteDeadlineMs);
  natsOptions_SetPingInterval(options, kPingIntervalMs);
  natsOptions_SetMaxPingsOut(options, kMaxPingsOut);
  natsOptions_SetIOBufSize(options, kBufferBytes);
  if (driven_) {
    natsOptions_SetAllowReconnect(options, false);
  } else {
    natsOptions_SetMaxReconnect(options, -1);
    natsOptions_SetCustomReconnectDelay(
        options,
        [](natsConnection*, int attempts, void* self) {
          return static_cast<NatsConnection*>(self)->ReconnectDelayMs(attempts);
        },
        this);
    natsOptions_SetDisconnectedCB(
        options,
        [](natsConnection* connection, void* closure) {
          auto* const self = static_cast<NatsConnection*>(closure);
          self->connected_ = false;
          self->Tell(self->listeners_.on_disconnected, LastErrorOf(connection));
        },
        this);
    natsOptions_SetReconnectedCB(
        options,
        [](natsConnection*, void* closure) {
          auto* const self = static_cast<NatsConnection*>(closure);
          self->connected_ = true;
          self->Tell(self->listeners_.on_connected);
        },
        this);
  }
  // Errors of subscriptions and permissions: said once each by NATS, seen here in the log.
  natsOptions_SetErrorHandler(
      options,
      [](natsConnection*, natsSubscription*, natsStatus error, void*) {
        LogLine(LogLevel::kWarn, "nats_error").Field("message", natsStatus_GetText(error));
      },
      nullptr);
  return absl::OkStatus();
}

void NatsConnection::ListenTo(Link& link) {
  natsOptions_SetClosedCB(
      options_.get(),
      [](natsConnection* connection, void* closure) {
        auto* const closed = static_cast<Link*>(closure);
        closed->reason = LastErrorOf(connection);
        closed->owner.OnClosed(*closed);
      },
      &link);
}

void NatsConnection::OnClosed(Link& link) {
  if (!driven_) {
    connected_ = false;
    Tell(listeners_.on_closed, absl::UnavailableError(absl::StrCat("the NATS server refuses us: ", link.reason)));
  }
  absl::MutexLock lock(&mutex_);
  if (link_.get() == &link) connected_ = false;
  link.over = true;
}

template <typename Listener, typename... Arguments>
void NatsConnection::Tell(const Listener& listener, const Arguments&... arguments) {
  absl::MutexLock lock(&telling_);
  if (!silent_) listener(arguments...);
}

std::shared_ptr<NatsConnection::Link> NatsConnection::link() const {
  absl::MutexLock lock(&mutex_);
  return link_;
}

int64_t NatsConnection::ReconnectDelayMs(int attempts) {
  const int64_t longest = std::min(kLongestReconnectDelayMs, kFirstReconnectDelayMs << std::clamp(attempts - 1, 0, 10));
  return static_cast<int64_t>(static_cast<double>(longest) * (0.5 + 0.5 * random_.Uniform()));
}

void NatsConnection::NoteServers(Link& link) {
  std::array<char, 512> url{};
  if (natsConnection_GetConnectedUrl(link.connection, url.data(), url.size()) == NATS_OK) {
    link.server = AddressOf(url.data());
  }
  char** found = nullptr;
  int count = 0;
  has_another_ = servers_.size() > 1;
  if (natsConnection_GetDiscoveredServers(link.connection, &found, &count) != NATS_OK) return;
  // They take the same user as the first of those that we were given.
  const std::string& first = servers_.front();
  const std::string user = first.substr(0, first.size() - AddressOf(first).size());
  for (int i = 0; i < count; ++i) {
    const std::string address = AddressOf(found[i]);
    std::free(found[i]);
    const bool known = std::any_of(servers_.begin(), servers_.end(),
                                   [&address](const std::string& server) { return AddressOf(server) == address; });
    if (!known) servers_.push_back(absl::StrCat(user, address));
  }
  std::free(static_cast<void*>(found));
  has_another_ = servers_.size() > 1;
}

void NatsConnection::KeepConnected() {
  pthread_setname_np(pthread_self(), "nats-reconnect");
  while (true) {
    std::shared_ptr<Link> lost;
    {
      absl::MutexLock lock(&mutex_);
      const auto wakes = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return stopping_ || link_->over; };
      mutex_.Await(absl::Condition(&wakes));
      if (stopping_) return;
      lost = link_;
    }
    Tell(listeners_.on_disconnected, lost->reason);
    std::shared_ptr<Link> next = Reconnect(lost->server);
    if (next == nullptr) return;
    NoteServers(*next);
    lost.reset();  // by the loop, which may be reading from it
    loop_.Post([this, next = std::move(next)]() mutable { Adopt(std::move(next)); });
    loop_.Flush();
    Tell(listeners_.on_connected);
  }
}

std::shared_ptr<NatsConnection::Link> NatsConnection::Reconnect(const std::string& lost_server) {
  std::vector<std::string> order = servers_;
  for (size_t i = order.size(); i > 1; --i) {
    std::swap(order[i - 1], order[static_cast<size_t>(random_.Uniform() * static_cast<double>(i))]);
  }
  std::partition(order.begin(), order.end(),
                 [&](const std::string& server) { return AddressOf(server) != lost_server; });
  auto link = std::make_shared<Link>(*this);
  ListenTo(*link);
  size_t refusals = 0;
  for (int round = 1;; ++round) {
    for (const std::string& server : order) {
      {
        absl::MutexLock lock(&mutex_);
        if (stopping_) return nullptr;
      }
      const char* const url = server.c_str();
      natsStatus status = natsOptions_SetServers(options_.get(), const_cast<const char**>(&url), 1);
      if (status == NATS_OK) status = natsConnection_Connect(&link->connection, options_.get());
      if (status == NATS_OK) return link;
      refusals = IsRefusal(status) ? refusals + 1 : 0;
      if (refusals < kMostRefusals * order.size()) continue;
      Tell(listeners_.on_closed,
           absl::UnavailableError(absl::StrCat("the NATS server refuses us: ", natsStatus_GetText(status))));
      return nullptr;
    }
    absl::MutexLock lock(&mutex_);
    if (mutex_.AwaitWithTimeout(absl::Condition(&stopping_), absl::Milliseconds(ReconnectDelayMs(round)))) {
      return nullptr;
    }
  }
}

void NatsConnection::Adopt(std::shared_ptr<Link> next) {
  absl::MutexLock registering(&registering_);
  for (NatsSubscription* const subscription : subscriptions_) {
    const natsStatus status = subscription->Start(next->connection);
    // It broke again meanwhile: the one after it will have them.
    if (status != NATS_OK) break;
  }
  absl::MutexLock lock(&mutex_);
  link_.swap(next);
  connected_ = !link_->over;
}

absl::StatusOr<std::unique_ptr<NatsConnection::Subscription>> NatsConnection::Register(
    std::unique_ptr<NatsSubscription> subscription) {
  absl::MutexLock registering(&registering_);
  const natsStatus status = subscription->Start(link()->connection);
  // Of one that is broken just now the next one has it.
  if (status != NATS_OK && status != NATS_CONNECTION_CLOSED) return NatsError(status, "subscribe");
  subscriptions_.push_back(subscription.get());
  return std::make_unique<RegisteredSubscription>(*this, std::move(subscription));
}

void NatsConnection::Forget(const NatsSubscription* subscription) {
  absl::MutexLock registering(&registering_);
  subscriptions_.erase(std::remove(subscriptions_.begin(), subscriptions_.end(), subscription), subscriptions_.end());
}

void NatsConnection::StartTelling() {
  absl::MutexLock lock(&telling_);
  silent_ = false;
}

void NatsConnection::StopTelling() {
  absl::MutexLock lock(&telling_);
  silent_ = true;
}

NatsConnection::~NatsConnection() {
  StopTelling();
  std::shared_ptr<Link> last;
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
    last = link_;
  }
  if (last == nullptr) return;
  if (reconnecting_.joinable()) reconnecting_.join();
  last = link();
  // On the thread that may be reading: the socket must not be closed under it.
  loop_.Post([&last] { natsConnection_Close(last->connection); });
  {
    absl::MutexLock lock(&mutex_);
    mutex_.Await(absl::Condition(&last->over));
    link_.reset();
  }
  loop_.Flush();
}

absl::Status NatsConnection::Publish(const std::string& subject, const std::string& reply, const Headers& headers,
                                     absl::string_view data) {
  if (!connected_) return absl::UnavailableError("nats: no connection");
  natsMsg* message = nullptr;
  natsStatus status = natsMsg_Create(&message, subject.c_str(), reply.empty() ? nullptr : reply.c_str(), data.data(),
                                     static_cast<int>(data.size()));
  if (status != NATS_OK) return NatsError(status, "message");
  const NatsMessage owned(message);
  for (const auto& [name, value] : headers) {
    status = natsMsgHeader_Set(message, name, value.c_str());
    if (status != NATS_OK) return NatsError(status, "header");
  }
  return NatsError(natsConnection_PublishMsg(link()->connection, message), "publish");
}

absl::StatusOr<std::unique_ptr<NatsConnection::Subscription>> NatsConnection::Subscribe(const std::string& subject,
                                                                                        OnMessage on_message) {
  return Register(MakeThreadSubscription(subject, std::move(on_message)));
}

absl::StatusOr<std::unique_ptr<NatsConnection::Subscription>> NatsConnection::SubscribeOnLoop(
    const std::string& subject, NatsLoop::Receiver receiver) {
  if (driven_) return Register(MakeLoopSubscription(subject, loop_, std::move(receiver)));
  auto subscription = std::make_unique<PostingSubscription>(loop_, std::move(receiver));
  if (absl::Status failed = subscription->Start(*this, subject); !failed.ok()) return failed;
  return subscription;
}

void NatsConnection::LeaveServer() {
  if (has_another_) loop_.Break();
}

size_t NatsConnection::max_payload() const {
  return static_cast<size_t>(natsConnection_GetMaxPayload(link()->connection));
}

std::string NatsConnection::NewInbox() {
  natsInbox* inbox = nullptr;
  natsInbox_Create(&inbox);
  std::string subject(inbox);
  natsInbox_Destroy(inbox);
  return subject;
}

}  // namespace aulm::gateway
