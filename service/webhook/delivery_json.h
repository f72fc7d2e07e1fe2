#pragma once

#include <boost/json/monotonic_resource.hpp>
#include <boost/json/value.hpp>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace aulm::gateway {

// The JSON object of one delivery, read with limits (depth 32; the size is the body's) and leniently where the sender's
// strings are not Unicode: such strings are repaired with U+FFFD. Of a member that comes twice the last counts. Views
// that it gives end with it. Never throws.
class DeliveryJson {
 public:
  // Reads `body`, which must outlive this.
  explicit DeliveryJson(absl::string_view body);

  // False when the body is no JSON, or JSON but no object: then every member is absent.
  bool is_object() const { return object_ != nullptr; }

  // True when something had to be repaired: a text with U+FFFD in it may stand for several others.
  bool repaired() const { return repaired_; }

  // A member that is text; nullopt when it is absent or anything else.
  std::optional<std::string> Text(absl::string_view member) const;

  // A member that names something: text, or a whole number of up to 64 bits as its digits. nullopt when it is absent,
  // empty or anything else; a number beyond 64 bits is no name, since it was rounded.
  std::optional<std::string> Name(absl::string_view member) const;

  // True when the member is the literal true.
  bool IsTrue(absl::string_view member) const;

 private:
  const boost::json::value* Find(absl::string_view member) const;
  std::string Repaired(absl::string_view text) const;

  unsigned char first_memory_[4096];
  boost::json::monotonic_resource memory_;
  boost::json::value value_;
  const boost::json::object* object_ = nullptr;
  bool repaired_ = false;
  bool invalid_utf8_ = false;
};

}  // namespace aulm::gateway
