// The floor of a proxied send: a callback server, one thread with curl_multi's socket interface, Boost.JSON, and
// nothing else: no checks, no log, no metrics, no guarantees. What the gateway adds is measured against it. Usage:
// bare_proxy <upstream host:port>. Prints "listening grpc host:port".
#include <curl/curl.h>
#include <grpcpp/grpcpp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <boost/json.hpp>
#include <cstdio>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "aulm/gateway/v1/messaging_service.grpc.pb.h"

namespace {

namespace v1 = aulm::gateway::v1;
namespace json = boost::json;

struct Call {
  grpc::ServerUnaryReactor* reactor;
  v1::SendTextResponse* response;
  std::string body;
  std::string answer;
};

size_t TakeAnswer(char* data, size_t size, size_t count, void* call) {
  static_cast<Call*>(call)->answer.append(data, size * count);
  return size * count;
}

class CurlThread {
 public:
  explicit CurlThread(std::string url) : url_(std::move(url)) {
    multi_ = curl_multi_init();
    epoll_ = epoll_create1(0);
    wake_ = eventfd(0, EFD_NONBLOCK);
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = wake_;
    epoll_ctl(epoll_, EPOLL_CTL_ADD, wake_, &event);
    headers_ = curl_slist_append(nullptr, "content-type: application/json");
    headers_ = curl_slist_append(headers_, "authorization: Bearer alm_sk_live_bench");
    headers_ = curl_slist_append(headers_, "expect:");
    curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, &CurlThread::OnSocket);
    curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
    curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, &CurlThread::OnTimer);
    curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
    thread_ = std::thread([this] { Run(); });
  }

  void Start(Call* call) {
    bool first;
    {
      std::lock_guard lock(mutex_);
      first = queue_.empty();
      queue_.push_back(call);
    }
    const uint64_t one = 1;
    if (first && write(wake_, &one, sizeof(one)) < 0) std::perror("eventfd");
  }

 private:
  static int OnSocket(CURL*, curl_socket_t socket, int what, void* self, void* known) {
    auto* thread = static_cast<CurlThread*>(self);
    epoll_event event{};
    event.data.fd = socket;
    event.events = (what & CURL_POLL_IN ? EPOLLIN : 0U) | (what & CURL_POLL_OUT ? EPOLLOUT : 0U);
    if (what == CURL_POLL_REMOVE) {
      epoll_ctl(thread->epoll_, EPOLL_CTL_DEL, socket, nullptr);
    } else {
      epoll_ctl(thread->epoll_, known != nullptr ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, socket, &event);
      curl_multi_assign(thread->multi_, socket, thread);
    }
    return 0;
  }

  static int OnTimer(CURLM*, long timeout_ms, void* self) {
    static_cast<CurlThread*>(self)->timeout_ms_ = timeout_ms;
    return 0;
  }

  void Add(Call* call) {
    CURL* easy;
    if (idle_.empty()) {
      easy = curl_easy_init();
      curl_easy_setopt(easy, CURLOPT_URL, url_.c_str());
      curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers_);
      curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &TakeAnswer);
      curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    } else {
      easy = idle_.back();
      idle_.pop_back();
    }
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, call);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, call);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, static_cast<long>(call->body.size()));
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, call->body.data());
    curl_multi_add_handle(multi_, easy);
  }

  void TakeDone() {
    int left = 0;
    while (CURLMsg* message = curl_multi_info_read(multi_, &left)) {
      CURL* easy = message->easy_handle;
      void* data = nullptr;
      curl_easy_getinfo(easy, CURLINFO_PRIVATE, &data);
      auto* call = static_cast<Call*>(data);
      curl_multi_remove_handle(multi_, easy);
      idle_.push_back(easy);
      const json::value answer = json::parse(call->answer);
      const json::object& message_data = answer.at("data").as_object();
      v1::SentMessage& sent = *call->response->mutable_message();
      sent.set_message_id(message_data.at("message_id").as_string().c_str());
      sent.set_session_id(message_data.at("session_id").as_string().c_str());
      sent.set_to(message_data.at("to").as_string().c_str());
      call->reactor->Finish(grpc::Status::OK);
      delete call;
    }
  }

  void Run() {
    std::array<epoll_event, 256> ready;
    std::vector<Call*> taken;
    int running = 0;
    while (true) {
      const int count = epoll_wait(epoll_, ready.data(), ready.size(), static_cast<int>(timeout_ms_));
      if (count == 0) {
        timeout_ms_ = -1;
        curl_multi_socket_action(multi_, CURL_SOCKET_TIMEOUT, 0, &running);
      }
      for (int i = 0; i < count; ++i) {
        const epoll_event& event = ready[static_cast<size_t>(i)];
        if (event.data.fd == wake_) {
          uint64_t ignored;
          if (read(wake_, &ignored, sizeof(ignored)) < 0) continue;
          {
            std::lock_guard lock(mutex_);
            taken.swap(queue_);
          }
          for (Call* call : taken) Add(call);
          taken.clear();
          curl_multi_socket_action(multi_, CURL_SOCKET_TIMEOUT, 0, &running);
          continue;
        }
        const int what =
            (event.events & EPOLLIN ? CURL_CSELECT_IN : 0) | (event.events & EPOLLOUT ? CURL_CSELECT_OUT : 0);
        curl_multi_socket_action(multi_, event.data.fd, what, &running);
      }
      TakeDone();
    }
  }

  const std::string url_;
  CURLM* multi_;
  int epoll_;
  int wake_;
  long timeout_ms_ = -1;
  curl_slist* headers_;
  std::vector<CURL*> idle_;
  std::mutex mutex_;
  std::vector<Call*> queue_;
  std::thread thread_;
};

class ProxyService final : public v1::MessagingService::CallbackService {
 public:
  explicit ProxyService(CurlThread& curl) : curl_(curl) {}

  grpc::ServerUnaryReactor* SendText(grpc::CallbackServerContext* context, const v1::SendTextRequest* request,
                                     v1::SendTextResponse* response) override {
    const json::object body = {{"session_id", request->session_id()}, {"to", request->to()}, {"body", request->body()}};
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    curl_.Start(new Call{reactor, response, json::serialize(body), ""});
    return reactor;
  }

 private:
  CurlThread& curl_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  curl_global_init(CURL_GLOBAL_DEFAULT);
  CurlThread curl(std::string("http://") + argv[1] + "/v1/messages/send-text");
  ProxyService service(curl);
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&service);
  const auto server = builder.BuildAndStart();
  std::printf("listening grpc 127.0.0.1:%d\n", port);
  std::fflush(stdout);
  server->Wait();
}
