#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "prometheus/counter.h"
#include "prometheus/family.h"
#include "prometheus/gauge.h"
#include "prometheus/registry.h"
#include "service/config/file_checks.h"
#include "service/config/secret_file.h"
#include "service/config/settings.h"
#include "service/config/tls_material.h"

namespace aulm::gateway {

// Reads the TLS files of listeners again every two seconds and passes on what changed: new files are in force at most
// two checks (four seconds and the time of reading) after they were written. Files that cannot be used leave the old
// ones in force, and are logged and counted. Says in a metric when each listener's certificate expires. Thread-safe.
class TlsWatcher {
 public:
  // What one listener needs.
  struct Purpose {
    std::string listener;  // "webhook", "admin", "grpc": for the log and the metrics
    TlsSettings files;
    // Called with each new material on the checks' thread, so that new connections use it; must not block for long. An
    // error leaves the old one in force, and counts as a file that cannot be used.
    std::function<absl::Status(const TlsMaterial&)> on_change;
  };

  // `checks` and `registry` must outlive the watcher, and the checks be stopped before anything that an on_change
  // touches goes away.
  TlsWatcher(FileChecks& checks, prometheus::Registry& registry, SecretFileReader read = ReadSecretFile);

  TlsWatcher(const TlsWatcher&) = delete;
  TlsWatcher& operator=(const TlsWatcher&) = delete;

  // Reads the listener's files (blocks), has `begin` use them, and follows them from then on: on_change may rely on
  // what `begin` did. INVALID_ARGUMENT, "<path> <problem>…", when they cannot be used; else what `begin` says.
  absl::Status Watch(Purpose purpose, absl::FunctionRef<absl::Status(const TlsMaterial&)> begin);

 private:
  class Entry;

  FileChecks& checks_;
  const SecretFileReader read_;
  prometheus::Family<prometheus::Counter>& changes_;
  prometheus::Family<prometheus::Gauge>& broken_;
  prometheus::Family<prometheus::Gauge>& expiry_;
};

}  // namespace aulm::gateway
