// The floor of a durable webhook: Beast as its examples use it, one HMAC, one JSON parse, SQLite with synchronous=FULL
// where one thread commits whatever waits. No limits, no strictness, no typing, no metrics, no log. bare_ingest
// <folder> prints "listening bare <address>" and serves until it is killed; the secret is webhook_bench's.
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <sqlite3.h>

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <boost/json/parse.hpp>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace {

namespace http = boost::beast::http;
using boost::asio::ip::tcp;
using Error = boost::system::error_code;

constexpr char kSecret[] = "whsec_test";

struct Row {
  std::string id;
  std::string body;
  std::function<void()> done;
};

// One thread that commits whatever waits.
class Writer {
 public:
  Writer(const std::string& file, boost::asio::io_context& io) : io_(io) {
    sqlite3_open(file.c_str(), &db_);
    Run("PRAGMA journal_mode=WAL");
    Run("PRAGMA synchronous=FULL");
    Run("CREATE TABLE events(sequence INTEGER PRIMARY KEY, id TEXT UNIQUE, body BLOB)");
    sqlite3_prepare_v2(db_, "INSERT OR IGNORE INTO events(id, body) VALUES(?, ?)", -1, &insert_, nullptr);
    std::thread([this] { Commit(); }).detach();
  }

  void Add(Row row) {
    const std::lock_guard<std::mutex> lock(mutex_);
    waiting_.push_back(std::move(row));
    added_.notify_one();
  }

 private:
  void Run(const char* sql) { sqlite3_exec(db_, sql, nullptr, nullptr, nullptr); }

  [[noreturn]] void Commit() {
    while (true) {
      auto rows = std::make_shared<std::vector<Row>>();
      {
        std::unique_lock<std::mutex> lock(mutex_);
        added_.wait(lock, [this] { return !waiting_.empty(); });
        rows->swap(waiting_);
      }
      Run("BEGIN");
      for (const Row& row : *rows) {
        sqlite3_bind_text(insert_, 1, row.id.data(), static_cast<int>(row.id.size()), SQLITE_STATIC);
        sqlite3_bind_blob(insert_, 2, row.body.data(), static_cast<int>(row.body.size()), SQLITE_STATIC);
        if (sqlite3_step(insert_) != SQLITE_DONE) abort();
        sqlite3_reset(insert_);
      }
      Run("COMMIT");
      boost::asio::post(io_, [rows] {
        for (const Row& row : *rows) row.done();
      });
    }
  }

  boost::asio::io_context& io_;
  sqlite3* db_ = nullptr;
  sqlite3_stmt* insert_ = nullptr;
  std::mutex mutex_;
  std::condition_variable added_;
  std::vector<Row> waiting_;
};

class Session : public std::enable_shared_from_this<Session> {
 public:
  Session(tcp::socket socket, Writer& writer) : socket_(std::move(socket)), writer_(writer) {}

  void Read() {
    request_ = {};
    http::async_read(socket_, buffer_, request_, [self = shared_from_this()](const Error& error, size_t) {
      if (!error) self->Handle();
    });
  }

 private:
  bool Verify() {
    std::array<unsigned char, 32> digest;
    unsigned int size = 0;
    HMAC(EVP_sha256(), kSecret, sizeof(kSecret) - 1, reinterpret_cast<const unsigned char*>(request_.body().data()),
         request_.body().size(), digest.data(), &size);
    const std::string wanted = absl::StrCat(
        "sha256=", absl::BytesToHexString(absl::string_view(reinterpret_cast<const char*>(digest.data()), size)));
    const auto given = request_["x-aulm-signature"];
    return given.size() == wanted.size() && CRYPTO_memcmp(given.data(), wanted.data(), wanted.size()) == 0;
  }

  void Handle() {
    if (!Verify()) return Answer(http::status::unauthorized);
    Error error;
    const boost::json::value value = boost::json::parse(request_.body(), error);
    if (error) return Answer(http::status::bad_request);
    Row row;
    row.id = value.at("delivery_id").as_string().c_str();
    row.body = std::move(request_.body());
    row.done = [self = shared_from_this()] { self->Answer(http::status::ok); };
    writer_.Add(std::move(row));
  }

  void Answer(http::status status) {
    response_ = {};
    response_.result(status);
    response_.body() = "{}";
    response_.prepare_payload();
    http::async_write(socket_, response_, [self = shared_from_this()](const Error& error, size_t) {
      if (!error) self->Read();
    });
  }

  tcp::socket socket_;
  Writer& writer_;
  boost::beast::flat_buffer buffer_;
  http::request<http::string_body> request_;
  http::response<http::string_body> response_;
};

void Accept(tcp::acceptor& acceptor, Writer& writer) {
  acceptor.async_accept([&](const Error& error, tcp::socket socket) {
    if (!error) {
      socket.set_option(tcp::no_delay(true));
      std::make_shared<Session>(std::move(socket), writer)->Read();
    }
    Accept(acceptor, writer);
  });
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  boost::asio::io_context io(1);
  Writer writer(absl::StrCat(argv[1], "/bare.db"), io);
  tcp::acceptor acceptor(io, tcp::endpoint(boost::asio::ip::address_v4::loopback(), 0));
  std::printf("listening bare 127.0.0.1:%d\n", acceptor.local_endpoint().port());
  std::fflush(stdout);
  Accept(acceptor, writer);
  io.run();
}
