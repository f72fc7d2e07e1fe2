#include "service/config/load_settings.h"

#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "service/config/config_json.h"
#include "service/config/make_settings.h"
#include "service/config/problems.h"
#include "service/config/secret_file.h"

namespace aulm::gateway {
namespace {

// The file's path: what --config names, else GATEWAY_CONFIG, else none.
std::string FindFile(const std::optional<std::filesystem::path>& file, const Environment& environment) {
  if (file.has_value()) return file->string();
  const auto variable = environment.find("GATEWAY_CONFIG");
  return variable == environment.end() ? "" : variable->second;
}

// As LoadSettings, but what is wrong is added to `problems`; nullopt when the file itself cannot be read.
std::optional<Settings> ReadSettings(const std::optional<std::filesystem::path>& file, const Environment& environment,
                                     Problems& problems) {
  config::v1::GatewayConfig config;
  if (const std::string path = FindFile(file, environment); !path.empty() || file.has_value()) {
    const auto text = ReadSecretFile(path);
    if (!text.ok()) {
      problems.Add(file.has_value() ? "--config" : "GATEWAY_CONFIG",
                   absl::StrCat(OnOneLine(path), ": ", text.status().message()),
                   "give the path of a JSON file, as docs/configuration.md shows");
    } else {
      ReadConfigJson(OnOneLine(path), text->Reveal(), config, problems);
    }
    // What was not read would seem to be missing: only the file's own problems are told.
    if (!problems.empty()) return std::nullopt;
  }
  return MakeSettings(config, environment, ReadSecretFile, problems);
}

}  // namespace

absl::StatusOr<Settings> LoadSettings(const std::optional<std::filesystem::path>& file,
                                      const Environment& environment) {
  Problems problems;
  std::optional<Settings> settings = ReadSettings(file, environment, problems);
  if (!problems.empty() || !settings.has_value()) return problems.ToStatus();
  return *std::move(settings);
}

absl::StatusOr<AdminListenerSettings> LoadAdminListener(const std::optional<std::filesystem::path>& file,
                                                        const Environment& environment) {
  Problems problems;
  const std::optional<Settings> settings = ReadSettings(file, environment, problems);
  if (!settings.has_value()) return problems.ToStatus();
  return settings->admin;
}

}  // namespace aulm::gateway
