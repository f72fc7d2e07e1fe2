#pragma once

#include <boost/json/value.hpp>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"

namespace aulm::simulator {

// What came back for one request of a test.
struct TestAnswer {
  int status = 0;  // 0: the connection ended without a whole answer
  std::string error;
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;
  bool closed = false;  // the server closes the connection after this answer

  // The body as JSON; null when it is none.
  boost::json::value json() const;
  // `error.code` of the body, empty when it has none.
  std::string code() const;
  bool has(const std::string& header) const { return headers.count(header) > 0; }
};

// One blocking HTTP/1.1 connection to the simulator, as a client of aulm would have it. Connects when first needed and
// anew after the server has closed.
class TestClient {
 public:
  using Headers = std::vector<std::pair<std::string, std::string>>;

  // `authority` files make it TLS.
  explicit TestClient(std::string address, std::string tls_authority_file = "");
  ~TestClient();

  TestAnswer Do(absl::string_view method, absl::string_view target, const Headers& headers, std::string body = "");

  // A send-text or send-image under a key; `key` empty sends no Authorization.
  TestAnswer SendText(const boost::json::value& body, const std::string& key = "alm_sk_test_simulator");
  TestAnswer SendImage(const boost::json::value& body, const std::string& key = "alm_sk_test_simulator");
  TestAnswer SessionStatus(const std::string& session_id, const std::string& key = "alm_sk_test_simulator");

  // Writes bytes as they are and returns all that comes back until the server closes.
  std::string Raw(absl::string_view bytes);

 private:
  struct Connection;

  const std::string address_;
  const std::string tls_authority_file_;
  std::unique_ptr<Connection> connection_;
};

// A good send-text body to `to`.
boost::json::value TextTo(const std::string& to, const std::string& body = "hi");

}  // namespace aulm::simulator
