#include "service/config/make_paces.h"

#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "service/base/text.h"

namespace aulm::gateway {
namespace {

constexpr absl::Duration kShortest = absl::Milliseconds(1);
constexpr absl::Duration kLongest = absl::Hours(24);
constexpr absl::Duration kLongestWindow = absl::Hours(24 * 30);
constexpr int kLargestBurst = 1000;
constexpr int kMostDays = 365;

// Reads the fields that Pacing and SessionPacing share over what `pace` holds.
class PaceReader {
 public:
  PaceReader(std::string path, Problems& problems) : path_(std::move(path)), problems_(problems) {}

  template <typename Message>
  void Read(const Message& given, Pace& pace) {
    if (given.has_off()) pace.off = given.off();
    if (given.has_interval()) ReadDuration("interval", given.interval(), kShortest, kLongest, pace.interval);
    if (given.has_jitter()) {
      pace.jitter = given.jitter();
      if (!(pace.jitter >= 0 && pace.jitter <= 1)) Bad("jitter", "is outside 0 to 1", "give a part such as 0.2");
    }
    if (given.has_burst()) {
      pace.burst = given.burst();
      Check("burst", pace.burst, 1, kLargestBurst);
    }
    if (given.has_reply_interval()) {
      ReadDuration("reply_interval", given.reply_interval(), kShortest, kLongest, pace.reply_interval);
    }
    if (given.has_reply_window()) {
      ReadDuration("reply_window", given.reply_window(), absl::ZeroDuration(), kLongestWindow, pace.reply_window);
    }
    if (given.has_max_wait()) {
      ReadDuration("max_wait", given.max_wait(), absl::ZeroDuration(), kLongest, pace.max_wait);
    }
    if (given.has_daily_limit()) {
      pace.daily_limit = given.daily_limit();
      Check("daily_limit", pace.daily_limit, 0, kMostSends);
    }
    if (given.has_warm_up()) ReadWarmUp(given.warm_up(), pace.warm_up);
  }

  void ReadActiveSince(absl::string_view day, Pace& pace) {
    if (day.empty()) return;
    absl::CivilDay since;
    if (day.size() == 10 && absl::ParseCivilTime(day, &since)) {
      pace.active_since = since;
    } else {
      Bad("active_since", "is no day", "write it as 2026-01-31");
    }
  }

 private:
  static constexpr int64_t kMostSends = 1'000'000'000;

  void ReadWarmUp(const config::v1::WarmUp& given, Pace::WarmUp& warm_up) {
    if (given.has_days()) warm_up.days = given.days();
    if (given.has_first_day_limit()) warm_up.first_day_limit = given.first_day_limit();
    if (given.has_last_day_limit()) warm_up.last_day_limit = given.last_day_limit();
    Check("warm_up.days", warm_up.days, 1, kMostDays);
    Check("warm_up.first_day_limit", warm_up.first_day_limit, 1, kMostSends);
    Check("warm_up.last_day_limit", warm_up.last_day_limit, warm_up.first_day_limit, kMostSends);
  }

  void ReadDuration(absl::string_view field, const google::protobuf::Duration& given, absl::Duration least,
                    absl::Duration most, absl::Duration& value) {
    value = absl::Seconds(given.seconds()) + absl::Nanoseconds(given.nanos());
    if (value < least || value > most) {
      Bad(field, absl::StrCat("is ", absl::FormatDuration(value)),
          absl::StrCat("give ", absl::FormatDuration(least), " to ", absl::FormatDuration(most)));
    }
  }

  void Check(absl::string_view field, int64_t value, int64_t least, int64_t most) {
    if (value < least || value > most)
      Bad(field, absl::StrCat("is ", value), absl::StrCat("give ", least, " to ", most));
  }

  void Bad(absl::string_view field, absl::string_view problem, absl::string_view remedy) {
    problems_.Add(absl::StrCat(path_, ".", field), problem, remedy);
  }

  const std::string path_;
  Problems& problems_;
};

}  // namespace

Paces MakePaces(const config::v1::Pacing& pacing, Problems& problems) {
  Paces paces;
  PaceReader("pacing", problems).Read(pacing, paces.general);
  for (int i = 0; i < pacing.sessions_size(); ++i) {
    const config::v1::SessionPacing& given = pacing.sessions(i);
    const std::string path = absl::StrCat("pacing.sessions[", i, "]");
    const bool named = IsUuid(given.session_id());
    if (!named) problems.Add(absl::StrCat(path, ".session_id"), "is no UUID", "copy it from aulm's dashboard");
    Pace pace = paces.general;
    PaceReader reader(path, problems);
    reader.Read(given, pace);
    reader.ReadActiveSince(given.active_since(), pace);
    if (named && !paces.by_session.emplace(absl::AsciiStrToLower(given.session_id()), pace).second) {
      problems.Add(absl::StrCat(path, ".session_id"), "stands there twice", "give each session one entry");
    }
  }
  return paces;
}

}  // namespace aulm::gateway
