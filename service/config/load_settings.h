#pragma once

#include <filesystem>
#include <optional>

#include "absl/status/statusor.h"
#include "service/config/environment.h"
#include "service/config/settings.h"

namespace aulm::gateway {

// The settings from `file` (what --config names; without it GATEWAY_CONFIG, without that no file) and the environment,
// which wins. A variable that is set and empty counts as not set. Reads the files that the settings name (blocks), in
// order to refuse at the start what could not work later.
//
// Error: INVALID_ARGUMENT, whose message has one line for each thing that is wrong, "<field>: <problem>: <remedy>",
// such as "accounts[1].api_key_file: /run/key: cannot be read (No such file or directory): give the path of a file that
// holds the key". No line ever shows a secret. main prints the lines and exits with 2.
absl::StatusOr<Settings> LoadSettings(const std::optional<std::filesystem::path>& file, const Environment& environment);

// The admin listener of the gateway that runs with these settings, for who asks it something. What else is wrong with
// them by now does not matter: while a secret's or a certificate's file is broken the gateway goes on with what it has.
// INVALID_ARGUMENT, as above, when the file itself cannot be read.
absl::StatusOr<AdminListenerSettings> LoadAdminListener(const std::optional<std::filesystem::path>& file,
                                                        const Environment& environment);

}  // namespace aulm::gateway
