// docs/configuration.md against the schema, the defaults and the limits: the page cannot go stale.
#include <google/protobuf/descriptor.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "service/config/config_json.h"
#include "service/config/describe_settings.h"
#include "service/config/environment.h"
#include "service/config/make_settings.h"

namespace aulm::gateway {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;

// The cells of each row of the page's tables, by the first, which is a name in backticks.
std::map<std::string, std::vector<std::string>> ReadRows(const std::string& page) {
  std::map<std::string, std::vector<std::string>> rows;
  for (const absl::string_view line : absl::StrSplit(page, '\n')) {
    if (!absl::StartsWith(line, "| `")) continue;
    std::vector<std::string> cells;
    for (const absl::string_view cell : absl::StrSplit(line.substr(1, line.size() - 2), '|')) {
      cells.emplace_back(absl::StripAsciiWhitespace(cell));
    }
    rows[cells[0].substr(1, cells[0].size() - 2)] = cells;
  }
  return rows;
}

// "listeners.grpc.address", "accounts[].name" and so on: every field that holds a value.
void CollectPaths(const Descriptor& type, const std::string& prefix, std::vector<std::string>& paths) {
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor& field = *type.field(i);
    const std::string path = prefix + field.name();
    const bool is_value = field.cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE ||
                          field.message_type()->full_name() == "google.protobuf.Duration";
    if (is_value) {
      paths.push_back(path);
    } else {
      CollectPaths(*field.message_type(), path + (field.is_repeated() ? "[]." : "."), paths);
    }
  }
}

class ConfigurationPageTest : public testing::Test {
 protected:
  ConfigurationPageTest() {
    std::ifstream file(CONFIGURATION_PAGE, std::ios::binary);
    page_.assign(std::istreambuf_iterator<char>(file), {});
    rows_ = ReadRows(page_);
    CollectPaths(*config::v1::GatewayConfig::descriptor(), "", paths_);
  }

  std::string page_;
  std::map<std::string, std::vector<std::string>> rows_;
  std::vector<std::string> paths_;
};

TEST_F(ConfigurationPageTest, HasARowForEveryFieldAndVariableAndForNothingElse) {
  std::vector<std::string> expected = paths_;
  for (const absl::string_view variable : kVariables) expected.emplace_back(variable);
  std::vector<std::string> found;
  for (const auto& [name, cells] : rows_) found.push_back(name);
  EXPECT_THAT(found, testing::UnorderedElementsAreArray(expected));
}

TEST_F(ConfigurationPageTest, StatesEveryDefault) {
  AccountSettings account;
  account.api_key.file = "key";
  Settings settings;
  settings.accounts = {account};
  settings.callers.emplace_back();
  const std::string described = DescribeSettings(settings);
  const boost::json::value defaults = boost::json::parse(boost::json::string_view(described.data(), described.size()));
  for (const std::string& path : paths_) {
    const bool has_none = absl::EndsWith(path, "_file") || absl::EndsWith(path, "_files") ||
                          path == "accounts[].name" || path == "accounts[].session_ids" ||
                          absl::StartsWith(path, "listeners.grpc.trusted_identity_header") ||
                          (absl::StartsWith(path, "callers[]") && !absl::EndsWith(path, "max_streams") &&
                           !absl::EndsWith(path, "max_subscriptions") && !absl::EndsWith(path, "sends_per_second")) ||
                          absl::StartsWith(path, "pacing.sessions[]");
    const std::string& cell = rows_[path].at(1);
    if (has_none) {
      EXPECT_EQ(cell, "") << path;
      continue;
    }
    boost::json::error_code error;
    const std::string pointer = "/" + absl::StrReplaceAll(path, {{"[].", "/0/"}, {".", "/"}});
    const auto* const value = defaults.find_pointer(pointer, error);
    ASSERT_NE(value, nullptr) << path;
    const std::string text = value->is_string()   ? std::string(value->get_string().c_str())
                             : value->is_double() ? absl::StrCat(value->get_double())
                                                  : std::string(boost::json::serialize(*value).c_str());
    EXPECT_EQ(cell, absl::StrCat("`", text, "`")) << path;
  }
}

TEST_F(ConfigurationPageTest, StatesTheDefaultOfEveryVariableThatHasAField) {
  for (const absl::string_view variable : kVariables) {
    const std::vector<std::string>& cells = rows_[std::string(variable)];
    const std::string field(absl::StripSuffix(absl::StripPrefix(cells.at(2), "`"), "`"));
    if (field.empty()) continue;
    ASSERT_TRUE(rows_.contains(field)) << variable;
    EXPECT_EQ(cells.at(1), rows_[field].at(1)) << variable;
  }
}

// A value outside of the stated range is refused in words that state the range.
TEST_F(ConfigurationPageTest, StatesEveryLimitsRange) {
  for (const std::string& path : paths_) {
    absl::string_view field = path;
    if (!absl::ConsumePrefix(&field, "limits.")) continue;
    const std::string range = rows_[path].at(2);
    const bool is_duration = absl::StrContains(range, "s ");
    config::v1::GatewayConfig config;
    Problems read_problems;
    ASSERT_TRUE(ReadConfigJson("c.json",
                               absl::StrCat("{\"limits\": {\"", field, "\": ", is_duration ? "\"-1s\"" : "-1", "}}"),
                               config, read_problems));
    Problems problems;
    MakeSettings(config, {}, ReadSecretFile, problems);
    EXPECT_THAT(
        std::string(problems.ToStatus().message()),
        testing::HasSubstr(absl::StrCat(path, ": ", is_duration ? "-1s" : "-1", " is not within ", range, ": ")));
  }
}

TEST_F(ConfigurationPageTest, ShowsAFileThatCanBeRead) {
  const size_t begin = page_.find("```json\n");
  ASSERT_NE(begin, std::string::npos);
  const size_t text = begin + 8;
  config::v1::GatewayConfig config;
  Problems problems;
  ASSERT_TRUE(ReadConfigJson("the page", page_.substr(text, page_.find("```", text) - text), config, problems))
      << problems.ToStatus();
  const auto read_file = [](const std::string& path) -> absl::StatusOr<Secret> {
    // Each file holds something of its own, of its kind.
    if (absl::EndsWith(path, "aulm_key")) return Secret("alm_sk_live_" + path);
    if (absl::StrContains(path, "callers")) return Secret(std::string(64, 'a'));
    return Secret(path);
  };
  MakeSettings(config, {}, read_file, problems);
  EXPECT_EQ(problems.ToStatus(), absl::OkStatus());
}

}  // namespace
}  // namespace aulm::gateway
