#include "service/storage/jetstream/nats_connection.h"

#include <algorithm>
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

class NatsSubscription final : public NatsConnection::Subscription {
 public:
  explicit NatsSubscription(NatsConnection::OnMessage on_message) : on_message_(std::move(on_message)) {}

  ~NatsSubscription() override {
    if (subscription_ == nullptr) return;
    // Of a connection that is closed already, the subscription is too.
    natsSubscription_Unsubscribe(subscription_);
    completed_.WaitForNotification();
    natsSubscription_Destroy(subscription_);
  }

  natsStatus Start(natsConnection* connection, const std::string& subject) {
    natsStatus status = natsConnection_Subscribe(
        &subscription_, connection, subject.c_str(),
        [](natsConnection*, natsSubscription*, natsMsg* message, void* self) {
          static_cast<NatsSubscription*>(self)->on_message_(NatsMessage(message));
        },
        this);
    if (status != NATS_OK) return status;
    status = natsSubscription_SetOnCompleteCB(
        subscription_, [](void* self) { static_cast<NatsSubscription*>(self)->completed_.Notify(); }, this);
    // What comes is bounded by what was asked for; a message dropped here would only be asked for again.
    if (status == NATS_OK) status = natsSubscription_SetPendingLimits(subscription_, -1, -1);
    return status;
  }

 private:
  const NatsConnection::OnMessage on_message_;
  absl::Notification completed_;
  natsSubscription* subscription_ = nullptr;
};

// One whose messages the loop takes out.
class LoopSubscription final : public NatsConnection::Subscription {
 public:
  explicit LoopSubscription(NatsLoop& loop) : loop_(loop) {}

  ~LoopSubscription() override {
    if (subscription_ == nullptr) return;
    loop_.Remove(subscription_);
    natsSubscription_Unsubscribe(subscription_);
    natsSubscription_Destroy(subscription_);
  }

  natsStatus Start(natsConnection* connection, const std::string& subject, NatsLoop::Receiver receiver) {
    natsStatus status = natsConnection_SubscribeSync(&subscription_, connection, subject.c_str());
    if (status != NATS_OK) return status;
    status = natsSubscription_SetPendingLimits(subscription_, -1, -1);
    if (status == NATS_OK) loop_.Add(subscription_, std::move(receiver));
    return status;
  }

 private:
  NatsLoop& loop_;
  natsSubscription* subscription_ = nullptr;
};

// The same where nats.c has its own threads: each message is posted to the loop.
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

absl::StatusOr<std::unique_ptr<NatsConnection>> NatsConnection::Connect(const NatsServers& servers,
                                                                        absl::Duration limit, Random& random,
                                                                        Listeners listeners) {
  std::unique_ptr<NatsConnection> connection(new NatsConnection(random, std::move(listeners)));
  natsOptions* options = nullptr;
  if (const natsStatus made = natsOptions_Create(&options); made != NATS_OK) return NatsError(made, "options");
  const std::unique_ptr<natsOptions, void (*)(natsOptions*)> owned(options, natsOptions_Destroy);
  if (absl::Status bad = connection->Configure(servers, options); !bad.ok()) return bad;
  const absl::Time deadline = absl::Now() + limit;
  while (true) {
    const natsStatus status = natsConnection_Connect(&connection->connection_, options);
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
  connection->connected_ = true;
  return connection;
}

absl::Status NatsConnection::Configure(const NatsServers& servers, natsOptions* options) {
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
        absl::MutexLock lock(&self->telling_);
        if (!self->silent_) self->listeners_.on_disconnected(LastErrorOf(connection));
      },
      this);
  natsOptions_SetReconnectedCB(
      options,
      [](natsConnection*, void* closure) {
        auto* const self = static_cast<NatsConnection*>(closure);
        self->connected_ = true;
        absl::MutexLock lock(&self->telling_);
        if (!self->silent_) self->listeners_.on_connected();
      },
      this);
  natsOptions_SetClosedCB(
      options,
      [](natsConnection* connection, void* closure) {
        auto* const self = static_cast<NatsConnection*>(closure);
        self->connected_ = false;
        {
          absl::MutexLock lock(&self->telling_);
          if (!self->silent_) {
            self->listeners_.on_closed(
                absl::UnavailableError(absl::StrCat("the NATS server refuses us: ", LastErrorOf(connection))));
          }
        }
        self->closed_.Notify();
      },
      this);
  // Errors of subscriptions and permissions: said once each by NATS, seen here in the log.
  natsOptions_SetErrorHandler(
      options,
      [](natsConnection*, natsSubscription*, natsStatus error, void*) {
        LogLine(LogLevel::kWarn, "nats_error").Field("message", natsStatus_GetText(error));
      },
      nullptr);
  return absl::OkStatus();
}

int64_t NatsConnection::ReconnectDelayMs(int attempts) {
  const int64_t longest = std::min(kLongestReconnectDelayMs, kFirstReconnectDelayMs << std::clamp(attempts - 1, 0, 10));
  return static_cast<int64_t>(static_cast<double>(longest) * (0.5 + 0.5 * random_.Uniform()));
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
  if (connection_ == nullptr) return;
  StopTelling();
  // On the thread that may be reading: the socket must not be closed under it.
  loop_.Post([this] { natsConnection_Close(connection_); });
  closed_.WaitForNotification();
  loop_.Flush();
  natsConnection_Destroy(connection_);
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
  return NatsError(natsConnection_PublishMsg(connection_, message), "publish");
}

absl::StatusOr<std::unique_ptr<NatsConnection::Subscription>> NatsConnection::Subscribe(const std::string& subject,
                                                                                        OnMessage on_message) {
  auto subscription = std::make_unique<NatsSubscription>(std::move(on_message));
  if (const natsStatus status = subscription->Start(connection_, subject); status != NATS_OK) {
    return NatsError(status, "subscribe");
  }
  return subscription;
}

absl::StatusOr<std::unique_ptr<NatsConnection::Subscription>> NatsConnection::SubscribeOnLoop(
    const std::string& subject, NatsLoop::Receiver receiver) {
  if (!driven_) {
    auto subscription = std::make_unique<PostingSubscription>(loop_, std::move(receiver));
    if (absl::Status failed = subscription->Start(*this, subject); !failed.ok()) return failed;
    return subscription;
  }
  auto subscription = std::make_unique<LoopSubscription>(loop_);
  if (const natsStatus status = subscription->Start(connection_, subject, std::move(receiver)); status != NATS_OK) {
    return NatsError(status, "subscribe");
  }
  return subscription;
}

void NatsConnection::LeaveServer() {
  char** servers = nullptr;
  int count = 0;
  if (natsConnection_GetServers(connection_, &servers, &count) != NATS_OK) return;
  for (int i = 0; i < count; ++i) std::free(servers[i]);
  std::free(static_cast<void*>(servers));
  if (count > 1) loop_.Break();
}

size_t NatsConnection::max_payload() const { return static_cast<size_t>(natsConnection_GetMaxPayload(connection_)); }

std::string NatsConnection::NewInbox() {
  natsInbox* inbox = nullptr;
  natsInbox_Create(&inbox);
  std::string subject(inbox);
  natsInbox_Destroy(inbox);
  return subject;
}

}  // namespace aulm::gateway
