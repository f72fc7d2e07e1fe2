// The C++ client through the clients' table: see tests/clients/conformance. One case is one test, named by its name.
#include <boost/json/parse.hpp>
#include <fstream>
#include <ostream>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tests/clients/cpp/conformance_case.h"

namespace aulm::gateway::conformance {
namespace {

constexpr size_t kCases = 31;

struct Named {
  std::string name;
  boost::json::value sessions, described;
  std::string excluded;  // why it is not run; empty: it is
};

void PrintTo(const Named& named, std::ostream* out) { *out << named.name; }

std::vector<Named> ReadTable() {
  std::ifstream file(AULM_CLIENT_TABLE);
  std::stringstream text;
  text << file.rdbuf();
  const boost::json::value table = boost::json::parse(text.str());
  JsonFields fields(table, "the table");
  const boost::json::value& sessions = *fields.Find("sessions");
  const boost::json::object& excluded = fields.Find("excluded")->as_object();
  std::vector<Named> cases;
  std::set<std::string> names;
  for (const boost::json::value& described : fields.Find("cases")->as_array()) {
    const std::string name(described.at("name").as_string());
    names.insert(name);
    const boost::json::value* reason = excluded.if_contains(name);
    cases.push_back({name, sessions, described, reason == nullptr ? "" : std::string(reason->as_string())});
  }
  AULM_TABLE_CHECK(cases.size() == kCases && names.size() == kCases, "the table has not 31 cases");
  for (const auto& [name, reason] : excluded) {
    AULM_TABLE_CHECK(names.count(std::string(name)) == 1, "excluded is no case: " + std::string(name));
  }
  return cases;
}

class ConformanceTest : public testing::TestWithParam<Named> {};

TEST_P(ConformanceTest, Case) {
  if (!GetParam().excluded.empty()) GTEST_SKIP() << GetParam().excluded;
  ConformanceCase(GetParam().sessions, GetParam().described).Run();
}

INSTANTIATE_TEST_SUITE_P(Table, ConformanceTest, testing::ValuesIn(ReadTable()),
                         [](const testing::TestParamInfo<Named>& one) { return one.param.name; });

}  // namespace
}  // namespace aulm::gateway::conformance
