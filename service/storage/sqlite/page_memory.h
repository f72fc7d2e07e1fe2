#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "absl/strings/string_view.h"

namespace aulm::gateway {

// The bytes behind the views of an EventPage: chunks that never move and go all at once.
class PageMemory {
 public:
  PageMemory() = default;

  PageMemory(const PageMemory&) = delete;
  PageMemory& operator=(const PageMemory&) = delete;

  // Keeps a copy of `bytes` for as long as this lives.
  absl::string_view Keep(absl::string_view bytes);

 private:
  std::vector<std::unique_ptr<char[]>> chunks_;
  char* next_ = nullptr;
  size_t left_ = 0;
};

}  // namespace aulm::gateway
