#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace aulm::gateway {

// A blocking HTTPS client for tests, over kept-alive connections. It takes exactly the certificates that it is told to;
// which name they are for does not matter. Not thread-safe.
class HttpsClient {
 public:
  struct Answer {
    int status = 0;
    std::string body;
  };

  // `certificates`: PEM of those that a server may show.
  explicit HttpsClient(std::string certificates);
  ~HttpsClient();

  HttpsClient(HttpsClient&&) noexcept;

  // From now on every request opens a connection of its own, and shakes hands anew.
  void OpenAnew();

  // `url` is https://host:port/path. UNAVAILABLE, with curl's words, when the connection, its handshake or the exchange
  // fails.
  absl::StatusOr<Answer> Get(const std::string& url);
  // As Get, but of an answer that need not end, such as server-sent events: takes it until `enough` says so of what has
  // come.
  absl::StatusOr<Answer> GetUntil(const std::string& url, const std::function<bool(absl::string_view)>& enough);
  absl::StatusOr<Answer> Post(const std::string& url, const std::map<std::string, std::string>& headers,
                              const std::string& body);

 private:
  struct Handle;
  absl::StatusOr<Answer> Perform(const std::string& url);

  const std::string certificates_;
  std::unique_ptr<Handle> handle_;
};

}  // namespace aulm::gateway
