// Bytes of one connection into RequestReader, in two cuts: it must end in the same way however the bytes are cut, never
// hold more than its limits, and hand out views and bodies that can be read.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "service/http/request_reader.h"

namespace {

using aulm::gateway::HttpLimits;
using aulm::gateway::RequestReader;

// What was read, as one text.
std::string Read(absl::string_view bytes, size_t most_at_once, const HttpLimits& limits) {
  RequestReader reader(limits);
  std::string read;
  while (true) {
    switch (reader.Advance()) {
      case RequestReader::Progress::kNeedMore: {
        if (bytes.empty()) return absl::StrCat(read, "|more");
        const auto space = reader.Space();
        if (space.empty()) abort();
        const size_t taken = std::min({bytes.size(), space.size(), most_at_once});
        std::memcpy(space.data(), bytes.data(), taken);
        reader.Received(taken);
        bytes.remove_prefix(taken);
        break;
      }
      case RequestReader::Progress::kHeader:
        absl::StrAppend(&read, "|", reader.request().method, " ", reader.request().path, "?", reader.request().query,
                        " ", reader.keep_alive());
        for (const auto& header : reader.request().headers) absl::StrAppend(&read, ",", header.name, ":", header.value);
        if (reader.request().headers.size() > limits.header_fields) abort();
        break;
      case RequestReader::Progress::kComplete: {
        absl::StrAppend(&read, "|", reader.request().body);
        if (reader.request().body.size() > limits.body_bytes) abort();
        const bool keep_alive = reader.keep_alive();
        reader.Next();
        if (!keep_alive) return absl::StrCat(read, "|close");
        break;
      }
      case RequestReader::Progress::kRefused:
        return absl::StrCat(read, "|", aulm::gateway::HttpRefusalName(reader.refusal()));
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  HttpLimits limits;
  limits.header_bytes = 2048;
  limits.body_bytes = 4096;
  const absl::string_view bytes(reinterpret_cast<const char*>(data), size);
  const std::string whole = Read(bytes, bytes.size() + 1, limits);
  // Limits are noticed a little sooner or later, depending on the cut; everything else must come out the same.
  const std::string piecewise = Read(bytes, 1, limits);
  if (whole != piecewise && bytes.size() <= 1024) abort();
  return 0;
}
