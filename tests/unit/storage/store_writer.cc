// A program that writes to a store as fast as it is answered, and tells each answer on standard output, until it is
// killed: store_writer <folder> <first number>. store_crash_test kills it.
#include <unistd.h>

#include <cstdio>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "prometheus/registry.h"
#include "service/base/system_clock.h"
#include "service/base/system_random.h"
#include "service/storage/store.h"

namespace aulm::gateway {
namespace {

constexpr int kInFlight = 50;

// One write a line, so that a line is told wholly or not at all.
void Tell(const std::string& line) {
  if (write(STDOUT_FILENO, line.data(), line.size()) < 0) _exit(1);
}

NewEvent EventOf(int number) {
  NewEvent event;
  event.account = "default";
  event.delivery_id = absl::StrCat("d-", number);
  event.event = absl::StrCat("event ", number);
  event.raw_body = std::string(static_cast<size_t>(number % 3000), 'r');
  return event;
}

StateWrite WriteOf(int number) {
  StateWrite write;
  write.bucket = "test";
  write.key = absl::StrCat("k", number % 10);
  write.value = absl::StrCat(number);
  return write;
}

int Run(const std::string& folder, int first) {
  SystemClock clock;
  SystemRandom random;
  prometheus::Registry registry;
  StoreOptions options;
  options.url = absl::StrCat("sqlite://", folder);
  absl::StatusOr<Store> store = OpenStore(options, clock, random, registry);
  if (!store.ok()) {
    fprintf(stderr, "%s\n", store.status().ToString().c_str());
    return 1;
  }
  absl::Mutex mutex;
  int open = 0;
  const auto answered = [&](const std::string& line) {
    Tell(line);
    absl::MutexLock lock(&mutex);
    --open;
  };
  for (int number = first;; ++number) {
    {
      absl::MutexLock lock(&mutex);
      const auto has_room = [&] { return open < kInFlight; };
      mutex.Await(absl::Condition(&has_room));
      open += 2;
    }
    store->log->Append(EventOf(number), [&answered, number](absl::StatusOr<Appended> appended) {
      if (!appended.ok()) _exit(1);
      answered(absl::StrCat("event ", number, " ", appended->sequence, "\n"));
    });
    store->state->Write({WriteOf(number)}, StateStore::Durability::kDurable,
                        [&answered, number](std::vector<absl::StatusOr<uint64_t>> results) {
                          if (!results.at(0).ok()) _exit(1);
                          answered(absl::StrCat("state ", number, "\n"));
                        });
  }
}

}  // namespace
}  // namespace aulm::gateway

int main(int argc, char** argv) {
  int first = 0;
  if (argc != 3 || !absl::SimpleAtoi(argv[2], &first)) {
    fprintf(stderr, "usage: store_writer <folder> <first number>\n");
    return 2;
  }
  return aulm::gateway::Run(argv[1], first);
}
