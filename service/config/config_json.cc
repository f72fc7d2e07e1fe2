#include "service/config/config_json.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/duration.pb.h>
#include <google/protobuf/message.h>

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "service/config/json_syntax.h"
#include "service/config/spelling.h"

namespace aulm::gateway {
namespace {

namespace json = boost::json;
using google::protobuf::Descriptor;
using google::protobuf::EnumDescriptor;
using google::protobuf::EnumValueDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

// Seconds of google.protobuf.Duration: ±10,000 years.
constexpr int64_t kMostDurationSeconds = 315'576'000'000;
constexpr double kMostExactInteger = 9007199254740992;  // 2^53

absl::string_view KindOf(const json::value& value) {
  switch (value.kind()) {
    case json::kind::object:
      return "an object";
    case json::kind::array:
      return "a list";
    case json::kind::string:
      return "a string";
    case json::kind::bool_:
      return "true or false";
    case json::kind::null:
      return "null";
    default:
      return "a number";
  }
}

absl::string_view View(const json::string& text) { return {text.data(), text.size()}; }

// Digits of "12.345" after the point as nanoseconds; nullopt when there are none or more than nine.
std::optional<int32_t> ParseNanoseconds(absl::string_view digits) {
  if (digits.empty() || digits.size() > 9 || !std::all_of(digits.begin(), digits.end(), absl::ascii_isdigit)) {
    return std::nullopt;
  }
  std::string nine(digits);
  nine.resize(9, '0');
  int32_t nanoseconds = 0;
  if (!absl::SimpleAtoi(nine, &nanoseconds)) return std::nullopt;
  return nanoseconds;
}

// "-1.5s". protobuf's Duration has both of its parts of one sign.
bool ParseDuration(absl::string_view text, google::protobuf::Duration& duration) {
  if (!absl::ConsumeSuffix(&text, "s")) return false;
  const bool is_negative = absl::ConsumePrefix(&text, "-");
  const size_t point = text.find('.');
  const absl::string_view whole = text.substr(0, point);
  int64_t seconds = 0;
  if (whole.empty() || !std::all_of(whole.begin(), whole.end(), absl::ascii_isdigit)) return false;
  if (!absl::SimpleAtoi(whole, &seconds) || seconds > kMostDurationSeconds) return false;
  int32_t nanoseconds = 0;
  if (point != absl::string_view::npos) {
    const auto parsed = ParseNanoseconds(text.substr(point + 1));
    if (!parsed) return false;
    nanoseconds = *parsed;
  }
  duration.set_seconds(is_negative ? -seconds : seconds);
  duration.set_nanos(is_negative ? -nanoseconds : nanoseconds);
  return true;
}

// "ON_SIGNATURE_MISMATCH_" for the enum OnSignatureMismatch, with which buf wants every value's name to begin.
std::string ValuePrefix(const EnumDescriptor& type) {
  std::string prefix;
  for (const char c : type.name()) {
    if (absl::ascii_isupper(static_cast<unsigned char>(c)) && !prefix.empty()) prefix.push_back('_');
    prefix.push_back(absl::ascii_toupper(static_cast<unsigned char>(c)));
  }
  prefix.push_back('_');
  return prefix;
}

const EnumValueDescriptor* FindEnumValue(const EnumDescriptor& type, absl::string_view name) {
  const EnumValueDescriptor* const exact = type.FindValueByName(std::string(name));
  return exact != nullptr ? exact : type.FindValueByName(absl::StrCat(ValuePrefix(type), name));
}

// `"REJECT" or "RETRY"`: the short names but the one of zero, which means "not given".
std::string Choices(const EnumDescriptor& type) {
  const std::string prefix = ValuePrefix(type);
  std::vector<std::string> names;
  for (int i = 0; i < type.value_count(); ++i) {
    if (type.value(i)->number() == 0) continue;
    names.push_back(absl::StrCat("\"", absl::StripPrefix(type.value(i)->name(), prefix), "\""));
  }
  return absl::StrJoin(names, " or ");
}

// Reads one document. Reflection does what protobuf's reader does, and every problem has its path.
class Reader {
 public:
  explicit Reader(Problems& problems) : problems_(problems) {}

  bool found_problem() const { return found_problem_; }

  void ReadMessage(const std::string& path, const json::object& object, Message& message) {
    const Descriptor& type = *message.GetDescriptor();
    for (const json::key_value_pair& member : object) {
      const absl::string_view key(member.key().data(), member.key().size());
      const FieldDescriptor* const field = FindField(type, key);
      const std::string member_path =
          absl::StrCat(path, path.empty() ? "" : ".", field != nullptr ? field->name() : OnOneLine(key));
      if (field == nullptr) {
        AddUnknown(member_path, key, type);
      } else if (key != field->name() && object.contains(field->name())) {
        Add(member_path, "is given twice, in two spellings", "leave one of them");
      } else if (!member.value().is_null()) {
        ReadField(member_path, member.value(), *field, message);
      }
    }
  }

 private:
  static const FieldDescriptor* FindField(const Descriptor& type, absl::string_view key) {
    for (int i = 0; i < type.field_count(); ++i) {
      if (key == type.field(i)->name() || key == type.field(i)->json_name()) return type.field(i);
    }
    return nullptr;
  }

  void Add(absl::string_view path, absl::string_view problem, absl::string_view remedy) {
    found_problem_ = true;
    problems_.Add(path, problem, remedy);
  }

  void AddUnknown(absl::string_view path, absl::string_view key, const Descriptor& type) {
    std::vector<absl::string_view> names;
    names.reserve(static_cast<size_t>(type.field_count()));
    for (int i = 0; i < type.field_count(); ++i) names.emplace_back(type.field(i)->name());
    const absl::string_view meant = ClosestName(key, names);
    if (!meant.empty()) {
      Add(path, "unknown field", absl::StrCat("did you mean ", meant, "?"));
    } else {
      Add(path, "unknown field", absl::StrCat("the fields here are ", absl::StrJoin(names, ", ")));
    }
  }

  void ReadField(const std::string& path, const json::value& value, const FieldDescriptor& field, Message& message) {
    if (!field.is_repeated()) {
      ReadValue(path, value, field, message);
      return;
    }
    if (!value.is_array()) {
      Add(path, absl::StrCat("is ", KindOf(value), ", must be a list"), "write it in [ ]");
      return;
    }
    size_t index = 0;
    for (const json::value& element : value.get_array()) {
      ReadValue(absl::StrCat(path, "[", index++, "]"), element, field, message);
    }
  }

  // One value: a singular field's, or an element of a repeated one that is added.
  void ReadValue(const std::string& path, const json::value& value, const FieldDescriptor& field, Message& message) {
    switch (field.cpp_type()) {
      case FieldDescriptor::CPPTYPE_STRING:
        ReadString(path, value, field, message);
        return;
      case FieldDescriptor::CPPTYPE_BOOL:
        ReadBool(path, value, field, message);
        return;
      case FieldDescriptor::CPPTYPE_INT32:
      case FieldDescriptor::CPPTYPE_INT64:
        ReadInteger(path, value, field, message);
        return;
      case FieldDescriptor::CPPTYPE_DOUBLE:
        ReadNumber(path, value, field, message);
        return;
      case FieldDescriptor::CPPTYPE_ENUM:
        ReadEnum(path, value, field, message);
        return;
      case FieldDescriptor::CPPTYPE_MESSAGE:
        ReadSubmessage(path, value, field, message);
        return;
      default:
        // ConfigJsonTest.EveryFieldHasATypeThatIsRead keeps the schema from getting here.
        Add(path, "has a type that cannot be read", "leave it out");
    }
  }

  void ReadString(const std::string& path, const json::value& value, const FieldDescriptor& field, Message& message) {
    if (!value.is_string()) {
      Add(path, absl::StrCat("is ", KindOf(value), ", must be a string"), "write it in quotes");
      return;
    }
    const absl::string_view text = View(value.get_string());
    if (std::any_of(text.begin(), text.end(), absl::ascii_iscntrl)) {
      Add(path, "holds a control character", "leave it out");
      return;
    }
    if (field.is_repeated()) {
      message.GetReflection()->AddString(&message, &field, std::string(text));
    } else {
      message.GetReflection()->SetString(&message, &field, std::string(text));
    }
  }

  void ReadBool(const std::string& path, const json::value& value, const FieldDescriptor& field, Message& message) {
    if (!value.is_bool()) {
      Add(path, absl::StrCat("is ", KindOf(value), ", must be true or false"), "write it without quotes");
      return;
    }
    message.GetReflection()->SetBool(&message, &field, value.get_bool());
  }

  static std::optional<int64_t> ToInteger(const json::value& value) {
    if (value.is_int64()) return value.get_int64();
    if (value.is_double()) {
      const double number = value.get_double();
      if (std::trunc(number) != number || std::abs(number) > kMostExactInteger) return std::nullopt;
      return static_cast<int64_t>(number);
    }
    int64_t number;
    if (value.is_string() && absl::SimpleAtoi(View(value.get_string()), &number)) return number;
    return std::nullopt;
  }

  void ReadInteger(const std::string& path, const json::value& value, const FieldDescriptor& field, Message& message) {
    const bool is_32_bit = field.cpp_type() == FieldDescriptor::CPPTYPE_INT32;
    if (!value.is_number() && !value.is_string()) {
      Add(path, absl::StrCat("is ", KindOf(value), ", must be a whole number"), "write it in digits");
      return;
    }
    const std::optional<int64_t> number = ToInteger(value);
    if (!number || (is_32_bit && *number != static_cast<int32_t>(*number))) {
      Add(path, "is not a whole number in range", "write it in digits");
      return;
    }
    if (is_32_bit) {
      message.GetReflection()->SetInt32(&message, &field, static_cast<int32_t>(*number));
    } else {
      message.GetReflection()->SetInt64(&message, &field, *number);
    }
  }

  void ReadNumber(const std::string& path, const json::value& value, const FieldDescriptor& field, Message& message) {
    if (!value.is_number()) {
      Add(path, absl::StrCat("is ", KindOf(value), ", must be a number"), "write it in digits, such as 0.2");
      return;
    }
    message.GetReflection()->SetDouble(&message, &field, value.to_number<double>());
  }

  void ReadEnum(const std::string& path, const json::value& value, const FieldDescriptor& field, Message& message) {
    const EnumDescriptor& type = *field.enum_type();
    const EnumValueDescriptor* choice = nullptr;
    if (value.is_string()) choice = FindEnumValue(type, View(value.get_string()));
    if (value.is_int64() && value.get_int64() == static_cast<int32_t>(value.get_int64())) {
      choice = type.FindValueByNumber(static_cast<int32_t>(value.get_int64()));
    }
    if (choice == nullptr) {
      Add(path, value.is_string() ? absl::StrCat("is ", Quoted(View(value.get_string()))) : "is no known value",
          absl::StrCat("write ", Choices(type)));
      return;
    }
    message.GetReflection()->SetEnum(&message, &field, choice);
  }

  void ReadSubmessage(const std::string& path, const json::value& value, const FieldDescriptor& field,
                      Message& message) {
    const auto* const reflection = message.GetReflection();
    Message* const submessage =
        field.is_repeated() ? reflection->AddMessage(&message, &field) : reflection->MutableMessage(&message, &field);
    if (auto* const duration = google::protobuf::DynamicCastToGenerated<google::protobuf::Duration>(submessage)) {
      if (!value.is_string() || !ParseDuration(View(value.get_string()), *duration)) {
        Add(path, "is not a duration", "write seconds with an s in quotes, such as \"60s\" or \"0.25s\"");
      }
      return;
    }
    if (!value.is_object()) {
      Add(path, absl::StrCat("is ", KindOf(value), ", must be an object"), "write it in { }");
      return;
    }
    ReadMessage(path, value.get_object(), *submessage);
  }

  Problems& problems_;
  bool found_problem_ = false;
};

}  // namespace

bool ReadConfigJson(absl::string_view file, absl::string_view text, config::v1::GatewayConfig& config,
                    Problems& problems) {
  if (!CheckJsonSyntax(file, text, problems)) return false;
  json::error_code error;
  const json::value document = json::parse(json::string_view(text.data(), text.size()), error);
  if (error || !document.is_object()) {  // CheckJsonSyntax reads with the same parser, so this does not happen
    problems.Add(file, "not valid JSON", "mend it");
    return false;
  }
  Reader reader(problems);
  reader.ReadMessage("", document.get_object(), config);
  return !reader.found_problem();
}

}  // namespace aulm::gateway
