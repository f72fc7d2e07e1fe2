#pragma once

#include <string>
#include <utility>
#include <vector>

#include "prometheus/registry.h"

namespace aulm::gateway {

// What this program was made from, and what it runs on.
struct BuildInfo {
  std::string version;   // "0.1.0"
  std::string commit;    // of git, twelve digits, with "-dirty" when files were changed; "unknown" outside of git
  std::string compiler;  // "clang 19.1.7"
  // Name and version. Where the library tells it, of the one that was loaded, which may be newer than the headers.
  std::vector<std::pair<std::string, std::string>> libraries;
  std::string tracing;  // what records spans, or that nothing does
};

BuildInfo GetBuildInfo();

// For --version: "aulm-gateway 0.1.0 (commit …)", the compiler, a line for each library and one for tracing; no newline
// at the end.
std::string DescribeBuild(const BuildInfo& info);

// aulm_gateway_build_info{version, commit, compiler} 1. Call it once for a registry.
void RegisterBuildInfo(const BuildInfo& info, prometheus::Registry& registry);

}  // namespace aulm::gateway
