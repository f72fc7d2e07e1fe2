#include "service/config/json_syntax.h"

#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/error.hpp>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"

namespace aulm::gateway {
namespace {

using boost::json::error_code;

// What boost::json::basic_parser calls while it reads. Boost's own values keep one of two equal keys and say nothing,
// so the keys are looked at here, where each has its path.
class KeyCheck {
 public:
  static constexpr size_t max_object_size = std::numeric_limits<size_t>::max();
  static constexpr size_t max_array_size = std::numeric_limits<size_t>::max();
  static constexpr size_t max_key_size = std::numeric_limits<size_t>::max();
  static constexpr size_t max_string_size = std::numeric_limits<size_t>::max();

  explicit KeyCheck(Problems& problems) : problems_(problems) {}

  bool found_duplicate() const { return found_duplicate_; }
  bool is_object() const { return is_object_; }

  bool on_document_begin(error_code&) { return true; }
  bool on_document_end(error_code&) { return true; }

  bool on_object_begin(error_code&) {
    if (levels_.empty()) is_object_ = true;
    BeginValue();
    levels_.push_back({.is_array = false});
    return true;
  }
  bool on_object_end(size_t, error_code&) {
    levels_.pop_back();
    return true;
  }
  bool on_array_begin(error_code&) {
    BeginValue();
    levels_.push_back({.is_array = true});
    return true;
  }
  bool on_array_end(size_t, error_code&) {
    levels_.pop_back();
    return true;
  }

  bool on_key_part(boost::json::string_view part, size_t, error_code&) {
    key_.append(part.data(), part.size());
    return true;
  }
  bool on_key(boost::json::string_view part, size_t, error_code&) {
    key_.append(part.data(), part.size());
    Level& level = levels_.back();
    level.key = std::move(key_);
    key_.clear();
    if (!level.keys.insert(level.key).second) {
      found_duplicate_ = true;
      problems_.Add(Path(), "is given twice", "leave one of them");
    }
    return true;
  }

  bool on_string_part(boost::json::string_view, size_t, error_code&) { return true; }
  bool on_string(boost::json::string_view, size_t, error_code&) { return Scalar(); }
  bool on_number_part(boost::json::string_view, error_code&) { return true; }
  bool on_int64(int64_t, boost::json::string_view, error_code&) { return Scalar(); }
  bool on_uint64(uint64_t, boost::json::string_view, error_code&) { return Scalar(); }
  bool on_double(double, boost::json::string_view, error_code&) { return Scalar(); }
  bool on_bool(bool, error_code&) { return Scalar(); }
  bool on_null(error_code&) { return Scalar(); }
  bool on_comment_part(boost::json::string_view, error_code&) { return true; }
  bool on_comment(boost::json::string_view, error_code&) { return true; }

 private:
  struct Level {
    bool is_array = false;
    size_t next_index = 0;  // of an array: the element that comes next
    std::string key = {};   // of an object: the key whose value is being read
    absl::flat_hash_set<std::string> keys = {};
  };

  void BeginValue() {
    if (!levels_.empty() && levels_.back().is_array) ++levels_.back().next_index;
  }
  bool Scalar() {
    BeginValue();
    return true;
  }

  std::string Path() const {
    std::string path;
    for (const Level& level : levels_) {
      if (level.is_array) {
        absl::StrAppend(&path, "[", level.next_index - 1, "]");
      } else {
        absl::StrAppend(&path, path.empty() ? "" : ".", OnOneLine(level.key));
      }
    }
    return path;
  }

  Problems& problems_;
  std::vector<Level> levels_;
  std::string key_;  // the parts that have come of a key
  bool is_object_ = false;
  bool found_duplicate_ = false;
};

// "3:14" for the byte at `offset`: line and column, both from 1.
std::string Position(absl::string_view text, size_t offset) {
  const absl::string_view before = text.substr(0, offset);
  const size_t line_start = before.rfind('\n') == absl::string_view::npos ? 0 : before.rfind('\n') + 1;
  return absl::StrCat(std::count(before.begin(), before.end(), '\n') + 1, ":", offset - line_start + 1);
}

}  // namespace

bool CheckJsonSyntax(absl::string_view file, absl::string_view text, Problems& problems) {
  boost::json::basic_parser<KeyCheck> parser(boost::json::parse_options(), problems);
  error_code error;
  const size_t read = parser.write_some(false, text.data(), text.size(), error);
  if (!error && read < text.size()) error = boost::json::error::extra_data;
  if (error) {
    problems.Add(absl::StrCat(file, ":", Position(text, read)), absl::StrCat("not valid JSON (", error.message(), ")"),
                 "mend the text there or just before");
    return false;
  }
  if (!parser.handler().is_object()) {
    problems.Add(file, "is not a JSON object", "write { \"accounts\": … }, as docs/configuration.md shows");
    return false;
  }
  return !parser.handler().found_duplicate();
}

}  // namespace aulm::gateway
