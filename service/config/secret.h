#pragma once

#include <cstddef>
#include <memory>

#include "absl/strings/string_view.h"

namespace aulm::gateway {

// A key or a signing secret. It cannot be printed, logged or turned into text by accident: whoever needs the bytes says
// Reveal(). Its memory is wiped when it is destroyed, assigned to or moved from. A plain value: not synchronised.
class Secret {
 public:
  Secret() = default;
  // Copies `value`; wiping the original is the caller's task.
  explicit Secret(absl::string_view value);
  Secret(const Secret& other);
  Secret(Secret&& other) noexcept;
  Secret& operator=(Secret other) noexcept;
  ~Secret();

  // The bytes, valid as long as this object is neither destroyed nor assigned to.
  absl::string_view Reveal() const { return absl::string_view(bytes_.get(), size_); }
  bool empty() const { return size_ == 0; }

  // Compares in constant time for equal lengths.
  friend bool operator==(const Secret& a, const Secret& b);

 private:
  // On the heap always: a short std::string would leave copies behind wherever it is moved.
  std::unique_ptr<char[]> bytes_;
  size_t size_ = 0;
};

}  // namespace aulm::gateway
