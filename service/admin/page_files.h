#pragma once

#include "absl/strings/string_view.h"

namespace aulm::gateway {

// A file of service/admin/page, as the build put it into the program. Static storage.
struct PageFile {
  absl::string_view name;          // "page.css"
  absl::string_view content_type;  // "text/css; charset=utf-8"
  absl::string_view content;
};

// The file of that name; null when there is none.
const PageFile* FindPageFile(absl::string_view name);

}  // namespace aulm::gateway
