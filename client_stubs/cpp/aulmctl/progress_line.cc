#include "client_stubs/cpp/aulmctl/progress_line.h"

#include <unistd.h>

#include <cstdio>

#include "absl/strings/str_cat.h"

namespace aulm::gateway::ctl {
namespace {

constexpr char kWipe[] = "\r\x1b[K";

}  // namespace

ProgressLine::ProgressLine() : visible_(isatty(STDERR_FILENO) == 1) {}

ProgressLine::~ProgressLine() { Wipe(); }

void ProgressLine::Wipe() {
  if (visible_) std::fputs(kWipe, stderr);
}

void ProgressLine::Show(absl::string_view text) {
  if (visible_) std::fputs(absl::StrCat(kWipe, text).c_str(), stderr);
}

}  // namespace aulm::gateway::ctl
