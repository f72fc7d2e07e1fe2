#include "tests/unit/admin/metrics_rules.h"

#include <cmath>
#include <limits>
#include <map>
#include <regex>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace aulm::gateway {
namespace {

constexpr size_t kMostSeries = 2000;

struct Histogram {
  double last_bound = -std::numeric_limits<double>::infinity();
  double last_count = 0;
  bool has_sum = false;
};

class RuleCheck {
 public:
  std::vector<std::string> Run(absl::string_view page) {
    if (!page.empty() && !absl::EndsWith(page, "\n")) Break("end", "the page");
    for (const absl::string_view line : absl::StrSplit(absl::StripSuffix(page, "\n"), '\n')) ReadLine(line);
    for (const auto& [series, histogram] : histograms_) {
      if (!histogram.has_sum) Break("histogram", series);
      if (!counted_.contains(series)) Break("histogram", series);
    }
    for (const std::string& family : helped_) {
      if (!types_.contains(family)) Break("type", family);
    }
    if (series_.size() > kMostSeries) Break("series", absl::StrCat(series_.size()));
    return broken_;
  }

 private:
  void Break(absl::string_view rule, absl::string_view metric) { broken_.push_back(absl::StrCat(rule, ": ", metric)); }

  void ReadLine(absl::string_view line) {
    if (absl::ConsumePrefix(&line, "# HELP ")) return ReadHelp(line);
    if (absl::ConsumePrefix(&line, "# TYPE ")) return ReadType(line);
    ReadSample(std::string(line));
  }

  void ReadHelp(absl::string_view line) {
    const std::vector<std::string> parts = absl::StrSplit(line, absl::MaxSplits(' ', 1));
    if (!helped_.insert(parts[0]).second) Break("once", parts[0]);
    if (parts.size() < 2 || !absl::EndsWith(parts[1], ".")) Break("help", parts[0]);
  }

  void ReadType(absl::string_view line) {
    const std::vector<std::string> parts = absl::StrSplit(line, ' ');
    const std::string& family = parts[0];
    const std::string type = parts.size() == 2 ? parts[1] : "";
    if (!types_.emplace(family, type).second) Break("once", family);
    if (!helped_.contains(family)) Break("help", family);
    static const std::regex kName("(aulm|grpc_server|process)(_[a-z0-9]+)+");
    if (!std::regex_match(family, kName)) Break("name", family);
    if ((type == "counter") != absl::EndsWith(family, "_total")) Break("counter", family);
    static const std::regex kOddUnit(
        ".*_(ms|us|ns|millis|milliseconds|micros|microseconds|minutes|hours|days|kb|kib|mb|mib|gb|percent)(_total)?");
    if (std::regex_match(family, kOddUnit)) Break("unit", family);
    if (type != "counter" && type != "gauge" && type != "histogram") Break("type", family);
  }

  void ReadSample(const std::string& line) {
    static const std::regex kSample(R"re(([^{ ]+)(\{(.*)\})? (\S+))re");
    std::smatch parts;
    if (!std::regex_match(line, parts, kSample)) return Break("sample", line);
    const std::string name = parts[1];
    std::string labels = parts[3];
    double value;
    if (!absl::SimpleAtod(std::string(parts[4]), &value) || std::isnan(value)) return Break("value", name);
    if (!series_.insert(absl::StrCat(name, "{", labels, "}")).second) Break("once", name);
    CheckLabels(name, labels);

    std::string family = name;
    for (const absl::string_view suffix : {"_bucket", "_sum", "_count"}) {
      const std::string stem(absl::StripSuffix(name, suffix));
      const auto type = types_.find(stem);
      if (stem != name && type != types_.end() && type->second == "histogram") family = stem;
    }
    const auto type = types_.find(family);
    if (type == types_.end()) return Break("type", name);
    if (type->second == "counter" && value < 0) Break("counter", name);
    if (type->second == "histogram") ReadHistogram(family, name, labels, value);
  }

  void CheckLabels(const std::string& name, const std::string& labels) {
    static const std::regex kLabel(R"re(([^=,]+)="((?:[^"\\]|\\.)*)"(,|$))re");
    size_t read = 0;
    for (std::sregex_iterator it(labels.begin(), labels.end(), kLabel), end; it != end; ++it) {
      read += static_cast<size_t>(it->length());
      const std::string label = (*it)[1];
      static const std::regex kName("[a-z][a-z0-9_]*");
      static const std::set<std::string> kPersonal = {"phone",      "to",   "from",      "peer",
                                                      "message_id", "body", "request_id"};
      static const std::regex kPhone(R"re(.*\+?[0-9]{8,}.*)re");
      if (!std::regex_match(label, kName) || kPersonal.contains(label)) Break("label", name);
      if (label != "le" && label != "commit" && std::regex_match(std::string((*it)[2]), kPhone)) Break("label", name);
    }
    if (read != labels.size()) Break("label", name);
  }

  void ReadHistogram(const std::string& family, const std::string& name, const std::string& labels, double value) {
    static const std::regex kBound(R"re(,?le="([^"]*)")re");
    std::smatch bound;
    const bool is_bucket = std::regex_search(labels, bound, kBound);
    const std::string series = absl::StrCat(family, "{", std::regex_replace(labels, kBound, ""), "}");
    Histogram& histogram = histograms_[series];
    if (name == family + "_sum") histogram.has_sum = true;
    if (name == family + "_count") counted_[series] = value;
    if (name != family + "_bucket") return;
    double upper;
    if (!is_bucket || !absl::SimpleAtod(std::string(bound[1]), &upper)) return Break("histogram", series);
    if (upper <= histogram.last_bound || value < histogram.last_count) Break("histogram", series);
    histogram.last_bound = upper;
    histogram.last_count = value;
    const auto count = counted_.find(series);
    if (std::isinf(upper) && count != counted_.end() && count->second != value) Break("histogram", series);
  }

  std::set<std::string> helped_;
  std::map<std::string, std::string> types_;
  std::set<std::string> series_;
  std::map<std::string, Histogram> histograms_;
  std::map<std::string, double> counted_;
  std::vector<std::string> broken_;
};

}  // namespace

std::vector<std::string> FindBrokenMetricRules(absl::string_view page) { return RuleCheck().Run(page); }

}  // namespace aulm::gateway
