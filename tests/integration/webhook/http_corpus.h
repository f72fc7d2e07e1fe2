#pragma once

#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "tests/support/webhook_client.h"

namespace aulm::gateway {

// One request of http_corpus.txt, which describes itself, and what the webhook listener answers to it.
struct HttpCorpusRow {
  std::string verdict;  // statuses up to the end of the connection, "100 200"; "-" for none
  std::string name;
  std::string bytes;
};

inline constexpr char kHttpCorpusSecret[] = "whsec_of_the_corpus";

// Escapes, and nothing else.
inline std::string UnescapeCorpusText(absl::string_view text) {
  std::string bytes;
  while (!text.empty()) {
    const size_t size = text.front() != '\\' ? 1 : text[1] == 'x' ? 4 : 2;
    std::string byte;
    if (!absl::CUnescape(text.substr(0, size), &byte)) abort();
    bytes += byte;
    text.remove_prefix(size);
  }
  return bytes;
}

// The bytes that `text` stands for. Ends the test's process when it is not in the corpus's language.
inline std::string ExpandCorpusText(absl::string_view text) {
  std::string bytes;
  while (!text.empty()) {
    const size_t brace = text.find('{');
    bytes += UnescapeCorpusText(text.substr(0, brace));
    if (brace == absl::string_view::npos) break;
    const size_t end = text.find('}', brace);
    if (end == absl::string_view::npos) abort();
    const absl::string_view inside = text.substr(brace + 1, end - brace - 1);
    const size_t star = inside.find('*');
    size_t times = 0;
    if (inside == "P") {
      bytes += "POST /webhooks/aulm HTTP/1.1\r\n";
    } else if (inside == "H") {
      bytes += "Host: a\r\n";
    } else if (inside == "S") {
      absl::StrAppend(&bytes, "X-Aulm-Signature: ", SignDelivery(kHttpCorpusSecret, "hi"), "\r\n");
    } else if (inside == "B") {
      bytes += "Content-Length: 2\r\n\r\nhi";
    } else if (star != absl::string_view::npos && absl::SimpleAtoi(inside.substr(0, star), &times)) {
      const std::string repeated = ExpandCorpusText(inside.substr(star + 1));
      for (; times > 0; --times) bytes += repeated;
    } else {
      abort();
    }
    text.remove_prefix(end + 1);
  }
  return bytes;
}

inline std::vector<HttpCorpusRow> ReadHttpCorpus(const std::string& path) {
  std::vector<HttpCorpusRow> rows;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line.front() == '#') continue;
    const std::vector<std::string> cells = absl::StrSplit(line, absl::MaxSplits(" | ", 2));
    if (cells.size() != 3) abort();
    rows.push_back({cells[0], cells[1], ExpandCorpusText(cells[2])});
  }
  return rows;
}

}  // namespace aulm::gateway
