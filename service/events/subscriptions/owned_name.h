#pragma once

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

// A durable subscription belongs to the caller that made it, and so does its name: under "shop/orders" the store, the
// metrics and the log know the subscription "orders" of the caller "shop". One of whoever has no name goes by its own
// name alone. Neither part holds a slash.
namespace aulm::gateway {

inline std::string OwnedName(absl::string_view owner, absl::string_view name) {
  return owner.empty() ? std::string(name) : absl::StrCat(owner, "/", name);
}

// What stands before the slash; empty without one.
inline absl::string_view OwnerOf(absl::string_view owned_name) {
  const size_t slash = owned_name.find('/');
  return slash == absl::string_view::npos ? absl::string_view() : owned_name.substr(0, slash);
}

// The name that its owner knows.
inline absl::string_view NameOf(absl::string_view owned_name) {
  const size_t slash = owned_name.find('/');
  return slash == absl::string_view::npos ? owned_name : owned_name.substr(slash + 1);
}

}  // namespace aulm::gateway
