#pragma once

#include <openssl/ssl.h>

#include <atomic>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"

namespace aulm::gateway {

// A server of bytes: every connection runs a script of the test's on a thread of its own, so that a test can send half
// an answer, close at the worst moment or stay silent. Listens on a free loopback port.
class ScriptedServer {
 public:
  class Connection {
   public:
    // One whole request, head and body as they came; nullopt when the client closed.
    std::optional<std::string> ReadRequest();
    // Reads the head alone, up to and with the blank line; what follows stays unread.
    std::optional<std::string> ReadHead();
    // Reads a byte or waits for the end; false at the end.
    bool ReadByte();
    // Exactly so many bytes; nullopt at the end.
    std::optional<std::string> Read(size_t bytes);
    // False when the client is gone.
    bool Write(absl::string_view bytes);
    // The connection will end with RST in place of FIN.
    void ResetAtEnd();
    // 0 for the first connection.
    int index() const { return index_; }

   private:
    friend class ScriptedServer;
    Connection(ScriptedServer& server, int socket, int index, SSL* tls)
        : server_(server), socket_(socket), index_(index), tls_(tls) {}
    // What there is; 0 at the end.
    int Receive(char* buffer, int size);

    ScriptedServer& server_;
    const int socket_;
    const int index_;
    SSL* const tls_;
    std::string buffered_;
  };

  // The connection is closed when the script returns.
  using Script = std::function<void(Connection&)>;

  // With `tls`, which it does not own, the server speaks TLS.
  explicit ScriptedServer(Script script, SSL_CTX* tls = nullptr);
  // Closes everything; scripts see the end of their connections.
  ~ScriptedServer();

  // "http://127.0.0.1:41234"
  std::string base_url() const;
  int port() const { return port_; }
  // Every whole request so far, of all connections.
  std::vector<std::string> requests() const;
  int connections() const { return connections_; }
  // Every byte that came over connection `index`, whole request or not.
  std::string received(int index) const;

 private:
  void Accept();
  void Serve(int socket, int index);

  const Script script_;
  SSL_CTX* const tls_;
  int listener_;
  int port_;
  std::atomic<int> connections_{0};

  mutable absl::Mutex mutex_;
  std::vector<std::string> requests_ ABSL_GUARDED_BY(mutex_);
  std::map<int, std::string> received_ ABSL_GUARDED_BY(mutex_);
  std::vector<int> open_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::thread> threads_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;

  std::thread acceptor_;
};

// A whole answer with Content-Length and, unless `headers` says otherwise, a connection that stays open.
std::string Answer(int status, absl::string_view body, absl::string_view headers = "");

// aulm's 201 with that message id.
std::string Accepted(absl::string_view message_id);

}  // namespace aulm::gateway
