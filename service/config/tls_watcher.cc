#include "service/config/tls_watcher.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "service/base/log.h"
#include "service/config/followed_files.h"

namespace aulm::gateway {

// One listener's files. Used by Watch before it is known to the checks' thread, and by that thread alone afterwards.
class TlsWatcher::Entry {
 public:
  using Files = FollowedFiles<TlsMaterial>;

  Entry(Purpose purpose, const SecretFileReader& read, prometheus::Counter& applied, prometheus::Counter& refused,
        prometheus::Gauge& broken, prometheus::Gauge& expiry)
      : purpose_(std::move(purpose)),
        files_(
            PathsOf(purpose_.files), [this](const std::vector<Secret>& contents) { return Use(contents); }, read),
        applied_(applied),
        refused_(refused),
        broken_(broken),
        expiry_(expiry) {}

  absl::Status Start(absl::FunctionRef<absl::Status(const TlsMaterial&)> begin) {
    if (absl::Status status = files_.Load(); !status.ok()) return status;
    if (absl::Status status = begin(files_.value()); !status.ok()) return status;
    started_ = true;
    Tell(LogLevel::kInfo, "tls_certificate");
    return absl::OkStatus();
  }

  void Check() {
    switch (files_.Check()) {
      case Files::Finding::kSame:
        return;
      case Files::Finding::kChanged:
        applied_.Increment();
        return Tell(LogLevel::kInfo, "tls_certificate_changed");
      case Files::Finding::kBroken:
        refused_.Increment();
        return Tell(LogLevel::kWarn, "tls_files_refused_old_kept");
      case Files::Finding::kMended:
        return Tell(LogLevel::kInfo, "tls_files_mended");
    }
  }

 private:
  static std::vector<std::string> PathsOf(const TlsSettings& files) {
    std::vector<std::string> paths = {files.certificate_file, files.key_file};
    if (!files.client_ca_file.empty()) paths.push_back(files.client_ca_file);
    return paths;
  }

  // What cannot be put in force is not followed either.
  absl::StatusOr<TlsMaterial> Use(const std::vector<Secret>& contents) const {
    auto material =
        MakeTlsMaterial(purpose_.files, contents[0], contents[1], contents.size() > 2 ? contents[2] : Secret());
    if (!material.ok() || !started_ || *material == files_.value()) return material;
    if (absl::Status status = purpose_.on_change(*material); !status.ok()) return status;
    return material;
  }

  void Tell(LogLevel level, absl::string_view event) const {
    broken_.Set(files_.problem().empty() ? 0 : 1);
    expiry_.Set(static_cast<double>(absl::ToUnixSeconds(files_.value().expires)));
    LogLine line(level, event);
    line.Field("listener", purpose_.listener)
        .Field("certificate_file", purpose_.files.certificate_file)
        .Field("expires", absl::FormatTime(absl::RFC3339_sec, files_.value().expires, absl::UTCTimeZone()));
    if (!files_.problem().empty()) line.Field("problem", files_.problem());
  }

  const Purpose purpose_;
  Files files_;
  bool started_ = false;
  prometheus::Counter& applied_;
  prometheus::Counter& refused_;
  prometheus::Gauge& broken_;
  prometheus::Gauge& expiry_;
};

TlsWatcher::TlsWatcher(FileChecks& checks, prometheus::Registry& registry, SecretFileReader read)
    : checks_(checks),
      read_(std::move(read)),
      changes_(prometheus::BuildCounter()
                   .Name("aulm_gateway_tls_changes_total")
                   .Help("New contents of a listener's TLS files: applied, or refused with the old ones kept.")
                   .Register(registry)),
      broken_(prometheus::BuildGauge()
                  .Name("aulm_gateway_tls_files_broken")
                  .Help("1 while a listener's TLS files cannot be used, and it goes on with the last ones that could.")
                  .Register(registry)),
      expiry_(prometheus::BuildGauge()
                  .Name("aulm_gateway_tls_certificate_expiry_timestamp_seconds")
                  .Help("When the certificate that a listener shows expires, in seconds since 1970.")
                  .Register(registry)) {}

absl::Status TlsWatcher::Watch(Purpose purpose, absl::FunctionRef<absl::Status(const TlsMaterial&)> begin) {
  const std::string listener = purpose.listener;
  auto entry =
      std::make_shared<Entry>(std::move(purpose), read_, changes_.Add({{"listener", listener}, {"outcome", "applied"}}),
                              changes_.Add({{"listener", listener}, {"outcome", "refused"}}),
                              broken_.Add({{"listener", listener}}), expiry_.Add({{"listener", listener}}));
  if (absl::Status status = entry->Start(begin); !status.ok()) return status;
  checks_.Add([entry = std::move(entry)] { entry->Check(); });
  return absl::OkStatus();
}

}  // namespace aulm::gateway
