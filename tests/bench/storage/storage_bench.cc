// What the embedded store's log and state can do, each figure beside bare SQLite doing the same in the same run:
// storage_bench [events] (default 200000). Prints a table; runs in a folder of its own below TMPDIR, else the working
// directory's, which should be on the disk that is to be measured.
#include <sqlite3.h>
#include <stdlib.h>
#include <time.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/synchronization/blocking_counter.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "prometheus/registry.h"
#include "service/base/system_clock.h"
#include "service/base/system_random.h"
#include "service/storage/store.h"
#include "tests/bench/support/bench_report.h"

namespace aulm::gateway {
namespace {

using SteadyClock = std::chrono::steady_clock;

// CPU of the whole process, kernel included: what the figure is on a machine with nothing else to do.
double CpuSeconds() {
  timespec now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

double SecondsSince(SteadyClock::time_point begun) {
  return std::chrono::duration<double>(SteadyClock::now() - begun).count();
}

// Time and CPU of something done many times.
struct Figure {
  double per_second = 0;
  double cpu_us = 0;  // each
};

class Meter {
 public:
  Figure Of(int count) const { return Figure{count / SecondsSince(begun_), (CpuSeconds() - cpu_) / count * 1e6}; }

 private:
  const SteadyClock::time_point begun_ = SteadyClock::now();
  const double cpu_ = CpuSeconds();
};

void Check(bool ok, absl::string_view what) {
  if (ok) return;
  absl::FPrintF(stderr, "storage_bench: %s failed\n", what);
  exit(1);
}

std::string UuidOf(uint64_t number) {
  const uint64_t mixed = number * 0x9e3779b97f4a7c15u;  // spread over the key space, as real ids are
  return absl::StrFormat("%08x-%04x-4%03x-8%03x-%012x", mixed >> 32, mixed >> 16 & 0xffff, mixed & 0xfff,
                         number & 0xfff, number);
}

// About what a message_status webhook makes: 200 bytes of event, 250 of body.
NewEvent EventOf(uint64_t number) {
  NewEvent event;
  event.account = "default";
  event.session_id = "11111111-2222-4333-8444-555555555555";
  event.peer = "+966512345678";
  event.message_id = "wamid.HBgMOTY2NTEyMzQ1Njc4FQIAERgS";
  event.type = 2;
  event.status = 2;
  event.delivery_id = UuidOf(number);
  event.event = std::string(200, 'e');
  event.raw_body = std::string(250, 'r');
  return event;
}

class Bench {
 public:
  Bench(std::string folder, int events) : folder_(std::move(folder)), events_(events) {}

  void Run() {
    report_.Begin("append", absl::StrCat("Appends, ", events_, " events at most"));
    for (const int in_flight : {1, 10, 100, 1000}) Append(in_flight);
    report_.Begin("read", "Reads of the log");
    Read();
    report_.Begin("state", "State");
    State();
  }

 private:
  void Row(absl::string_view what, const Figure& ours, const Figure& bare = {}) {
    BenchReport::Numbers figures = {{"store/s", ours.per_second}, {"store_cpu_us", ours.cpu_us}};
    if (bare.per_second > 0) {
      figures.insert(
          figures.end(),
          {{"bare/s", bare.per_second}, {"bare_cpu_us", bare.cpu_us}, {"cpu/bare", ours.cpu_us / bare.cpu_us}});
    }
    report_.Row({{"operation", std::string(what)}}, figures);
  }

  Store Open(const std::string& name) {
    StoreOptions options;
    options.url = absl::StrCat("sqlite://", folder_, "/", name);
    options.max_queued_appends = 1 << 20;
    options.max_queued_bytes = size_t{1} << 30;
    registries_.push_back(std::make_unique<prometheus::Registry>());
    absl::StatusOr<Store> store = OpenStore(options, clock_, random_, *registries_.back());
    Check(store.ok(), store.status().message());
    return *std::move(store);
  }

  // Appends with `in_flight` unanswered, as that many webhook connections do; and bare SQLite with a table and a unique
  // id in transactions of that size.
  void Append(int in_flight) {
    const int count = std::min(events_, in_flight * 4000);
    Store store = Open(absl::StrCat("append-", in_flight));
    absl::Mutex mutex;
    int open = 0;
    std::vector<double> latencies;
    latencies.reserve(static_cast<size_t>(count));
    const Meter meter;
    for (int i = 0; i < count; ++i) {
      NewEvent event = EventOf(static_cast<uint64_t>(i));
      {
        absl::MutexLock lock(&mutex);
        const auto has_room = [&] { return open < in_flight; };
        mutex.Await(absl::Condition(&has_room));
        ++open;
      }
      store.log->Append(std::move(event), [&, sent = SteadyClock::now()](absl::StatusOr<Appended> appended) {
        Check(appended.ok() && !appended->duplicate, "append");
        absl::MutexLock lock(&mutex);
        latencies.push_back(SecondsSince(sent));
        --open;
      });
    }
    {
      absl::MutexLock lock(&mutex);
      const auto is_done = [&] { return open == 0; };
      mutex.Await(absl::Condition(&is_done));
    }
    const Figure ours = meter.Of(count);
    std::sort(latencies.begin(), latencies.end());
    const Figure bare = BareAppend(count, std::min(in_flight, 128));
    report_.Row({{"operation", absl::StrCat("append, ", in_flight, " in flight")}},
                {{"store/s", ours.per_second},
                 {"store_cpu_us", ours.cpu_us},
                 {"bare/s", bare.per_second},
                 {"bare_cpu_us", bare.cpu_us},
                 {"cpu/bare", ours.cpu_us / bare.cpu_us},
                 {"p50_ms", latencies[latencies.size() / 2] * 1e3},
                 {"p99_ms", latencies[latencies.size() * 99 / 100] * 1e3},
                 {"max_ms", latencies.back() * 1e3}});
  }

  Figure BareAppend(int count, int batch) {
    sqlite3* db = nullptr;
    const std::string file = absl::StrCat(folder_, "/bare-", batch, ".db");
    Check(sqlite3_open(file.c_str(), &db) == SQLITE_OK, "open");
    const auto run = [&](const char* sql) {
      Check(sqlite3_exec(db, sql, nullptr, nullptr, nullptr) == SQLITE_OK, sql);
    };
    run("PRAGMA journal_mode=WAL");
    run("PRAGMA synchronous=FULL");
    run("CREATE TABLE events(sequence INTEGER PRIMARY KEY, id TEXT UNIQUE, event BLOB, body BLOB)");
    sqlite3_stmt* insert = nullptr;
    sqlite3_prepare_v2(db, "INSERT INTO events(id, event, body) VALUES(?, ?, ?)", -1, &insert, nullptr);
    const Meter meter;
    for (int i = 0; i < count;) {
      run("BEGIN");
      for (int row = 0; row < batch && i < count; ++row, ++i) {
        const NewEvent event = EventOf(static_cast<uint64_t>(i));
        sqlite3_bind_text(insert, 1, event.delivery_id.data(), -1, SQLITE_STATIC);
        sqlite3_bind_blob(insert, 2, event.event.data(), static_cast<int>(event.event.size()), SQLITE_STATIC);
        sqlite3_bind_blob(insert, 3, event.raw_body.data(), static_cast<int>(event.raw_body.size()), SQLITE_STATIC);
        Check(sqlite3_step(insert) == SQLITE_DONE, "insert");
        sqlite3_reset(insert);
      }
      run("COMMIT");
    }
    const Figure rate = meter.Of(count);
    sqlite3_finalize(insert);
    sqlite3_close(db);
    return rate;
  }

  void Read() {
    Store store = Open("read");
    absl::BlockingCounter open(events_);
    for (int i = 0; i < events_; ++i) {
      store.log->Append(EventOf(static_cast<uint64_t>(i)), [&](absl::StatusOr<Appended> appended) {
        Check(appended.ok(), "append");
        open.DecrementCount();
      });
    }
    open.Wait();
    for (const bool raw_body : {false, true}) {
      Figure best;
      for (int round = 0; round < 3; ++round) {
        const Meter meter;
        uint64_t after = 0;
        int rows = 0;
        while (true) {
          absl::StatusOr<EventPage> page = store.log->Read(after, {.raw_body = raw_body});
          Check(page.ok(), "read");
          rows += static_cast<int>(page->events.size());
          if (page->end_of_log) break;
          after = page->events.back().sequence;
        }
        Check(rows == events_, "reading everything");
        if (const Figure figure = meter.Of(rows); figure.per_second > best.per_second) best = figure;
      }
      Row(raw_body ? "read with raw bodies, pages of 1024" : "read, pages of 1024", best,
          BareRead(absl::StrCat(folder_, "/read/gateway.db"), raw_body));
    }
    const Meter newest;
    for (int i = 0; i < 10'000; ++i) {
      Check(store.log->Read(store.log->Info().head - 1, {}).ok(), "read");
    }
    Row("read of the newest event alone", newest.Of(10'000));
    const Meter find;
    for (int i = 0; i < 1000; ++i) Check(store.log->FindTime(clock_.Now() - absl::Seconds(1)).ok(), "find");
    Row("find a time", find.Of(1000));
  }

  Figure BareRead(const std::string& file, bool raw_body) {
    sqlite3* db = nullptr;
    Check(sqlite3_open(file.c_str(), &db) == SQLITE_OK, "open");
    sqlite3_stmt* select = nullptr;
    const char* sql = raw_body ? "SELECT e.sequence, e.ingested_ms, e.record, r.body FROM events e"
                                 " LEFT JOIN raw_bodies r USING(sequence) ORDER BY e.sequence"
                               : "SELECT sequence, ingested_ms, record FROM events ORDER BY sequence";
    Check(sqlite3_prepare_v2(db, sql, -1, &select, nullptr) == SQLITE_OK, "prepare");
    Figure best;
    for (int round = 0; round < 3; ++round) {
      const Meter meter;
      int rows = 0;
      std::string copy;
      while (sqlite3_step(select) == SQLITE_ROW) {
        copy.assign(static_cast<const char*>(sqlite3_column_blob(select, 2)),
                    static_cast<size_t>(sqlite3_column_bytes(select, 2)));
        ++rows;
      }
      sqlite3_reset(select);
      if (const Figure figure = meter.Of(rows); figure.per_second > best.per_second) best = figure;
    }
    sqlite3_finalize(select);
    sqlite3_close(db);
    return best;
  }

  void State() {
    Store store = Open("state");
    for (const auto durability : {StateStore::Durability::kDurable, StateStore::Durability::kRelaxed}) {
      for (const int in_flight : {1, 50, 500}) {
        const int count = std::min(events_ / 2, in_flight * 2000);
        const bool is_durable = durability == StateStore::Durability::kDurable;
        absl::Mutex mutex;
        int open = 0;
        const Meter meter;
        for (int i = 0; i < count; ++i) {
          {
            absl::MutexLock lock(&mutex);
            const auto has_room = [&] { return open < in_flight; };
            mutex.Await(absl::Condition(&has_room));
            ++open;
          }
          StateWrite write;
          write.bucket = "requests";
          write.key = absl::StrCat(UuidOf(static_cast<uint64_t>(i)), "/", in_flight, is_durable ? "d" : "r");
          write.value = std::string(150, 'v');
          write.expected_revision = 0;
          write.expires = clock_.Now() + absl::Hours(24);
          store.state->Write({std::move(write)}, durability, [&](std::vector<absl::StatusOr<uint64_t>> results) {
            Check(results.at(0).ok(), "state write");
            absl::MutexLock lock(&mutex);
            --open;
          });
        }
        absl::MutexLock lock(&mutex);
        const auto is_done = [&] { return open == 0; };
        mutex.Await(absl::Condition(&is_done));
        Row(absl::StrFormat("state: create a key, %s, %d in flight", is_durable ? "durable" : "relaxed", in_flight),
            meter.Of(count));
      }
    }
    const int count = 20'000;
    const Meter meter;
    for (int i = 0; i < count; ++i) {
      absl::Notification done;
      store.state->Get("requests", absl::StrCat(UuidOf(static_cast<uint64_t>(i)), "/500d"),
                       [&](absl::StatusOr<std::optional<StateEntry>> entry) {
                         Check(entry.ok(), "get");
                         done.Notify();
                       });
      done.WaitForNotification();
    }
    Row("state: get, one after the other", meter.Of(count));
  }

  const std::string folder_;
  const int events_;
  BenchReport report_{"storage"};
  SystemClock clock_;
  SystemRandom random_;
  std::vector<std::unique_ptr<prometheus::Registry>> registries_;
};

}  // namespace
}  // namespace aulm::gateway

int main(int argc, char** argv) {
  int events = 200'000;
  if (argc > 1 && !absl::SimpleAtoi(argv[1], &events)) {
    fprintf(stderr, "usage: storage_bench [events]\n");
    return 2;
  }
  const char* const parent = getenv("TMPDIR");
  std::string folder = absl::StrCat(parent != nullptr ? parent : ".", "/storage-bench-XXXXXX");
  if (mkdtemp(folder.data()) == nullptr) {
    perror("storage_bench: cannot make a folder");
    return 1;
  }
  aulm::gateway::Bench(folder, events).Run();
  std::filesystem::remove_all(folder);
  return 0;
}
