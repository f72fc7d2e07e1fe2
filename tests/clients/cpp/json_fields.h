#pragma once

#include <boost/json/value.hpp>
#include <set>
#include <string>
#include <vector>

#include "absl/base/internal/raw_logging.h"
#include "absl/strings/string_view.h"

namespace aulm::gateway::conformance {

// A table that cannot be read ends the whole run: no case of it means anything.
#define AULM_TABLE_CHECK(condition, message) ABSL_RAW_CHECK(condition, std::string(message).c_str())

// The fields of one JSON object of the table. Those that nobody asked for are an error when it goes away: a table that
// is read by halves would pass by accident.
class JsonFields {
 public:
  JsonFields(const boost::json::value& value, std::string where) : where_(std::move(where)) {
    AULM_TABLE_CHECK(value.is_object(), where_ + " is no object");
    object_ = &value.as_object();
  }
  JsonFields(const JsonFields&) = delete;
  JsonFields& operator=(const JsonFields&) = delete;
  ~JsonFields() {
    for (const auto& field : *object_) {
      AULM_TABLE_CHECK(asked_.count(std::string(field.key())) == 1,
                       where_ + " has a field that is not known: " + std::string(field.key()));
    }
  }

  // Null where there is no such field.
  const boost::json::value* Find(const char* name) {
    asked_.insert(name);
    return object_->if_contains(name);
  }
  bool Has(const char* name) { return Find(name) != nullptr; }
  std::string Text(const char* name) {
    const boost::json::value* value = Find(name);
    return value == nullptr ? "" : std::string(value->as_string());
  }
  int64_t Number(const char* name, int64_t absent = 0) {
    const boost::json::value* value = Find(name);
    return value == nullptr ? absent : value->as_int64();
  }
  bool Flag(const char* name) {
    const boost::json::value* value = Find(name);
    return value != nullptr && value->as_bool();
  }
  // A list, or one text for a list of it.
  std::vector<std::string> Texts(const char* name) {
    std::vector<std::string> texts;
    const boost::json::value* value = Find(name);
    if (value == nullptr) return texts;
    if (value->is_string()) return {std::string(value->as_string())};
    for (const boost::json::value& text : value->as_array()) texts.emplace_back(text.as_string());
    return texts;
  }

 private:
  const std::string where_;
  const boost::json::object* object_ = nullptr;
  std::set<std::string> asked_;
};

}  // namespace aulm::gateway::conformance
