#pragma once

#include <string>

#include "service/config/settings.h"

namespace aulm::gateway {

// The settings in force as indented JSON in the configuration file's shape, every default written out, for
// --print-config and the admin page, without a newline at the end. Secrets that the environment gave read "(set)";
// those in files show the path alone.
std::string DescribeSettings(const Settings& settings);

}  // namespace aulm::gateway
