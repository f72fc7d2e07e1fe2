#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace aulm::simulator {

// Appends `text` as a JSON string with its quotes. Bytes from 0x80 up are copied as they are: UTF-8 in, UTF-8 out.
void AppendJsonString(std::string& out, absl::string_view text);

}  // namespace aulm::simulator
