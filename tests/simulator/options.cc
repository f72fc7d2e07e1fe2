#include "tests/simulator/options.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "tests/simulator/aulm_error.h"
#include "tests/simulator/magic_number.h"
#include "tests/simulator/option_table.h"

namespace aulm::simulator {
namespace {

const OptionRow* FindOption(absl::string_view name) {
  for (const OptionRow& row : OptionTable()) {
    if (row.name == name) return &row;
  }
  return nullptr;
}

// `text` in lines of at most 110 columns, each begun with `indent` spaces.
std::string Wrapped(absl::string_view text, size_t indent) {
  constexpr size_t kColumns = 110;
  std::string lines;
  size_t column = 0;
  for (const absl::string_view word : absl::StrSplit(text, ' ')) {
    if (column == 0 || column + 1 + word.size() > kColumns) {
      absl::StrAppend(&lines, column == 0 ? "" : "\n", std::string(indent, ' '), word);
      column = indent + word.size();
    } else {
      absl::StrAppend(&lines, " ", word);
      column += 1 + word.size();
    }
  }
  return lines + "\n";
}

std::string Padded(absl::string_view text, size_t width) {
  return absl::StrCat(text, std::string(text.size() < width ? width - text.size() : 1, ' '));
}

std::string MagicNumberHelp() {
  std::string help;
  for (const MagicNumber& magic : MagicNumbers()) {
    const AulmErrorRow* row = FindAulmError(magic.code);
    const std::string error = row == nullptr ? "" : absl::StrCat(row->http_status, " ", row->code);
    const absl::string_view effect = DescribeEffect(magic.effect);
    absl::StrAppend(&help, "  ", magic.number, "  ", error, error.empty() || effect.empty() ? "" : ", ", effect, "\n");
  }
  return help;
}

std::string BuiltInHelp() {
  std::string help = "\nBuilt-in keys (each also as alm_sk_test_…)\n";
  const ApiKeyRing keys;
  for (const auto& [text, key] : keys.keys()) {
    if (key.is_test()) continue;
    absl::StrAppend(&help, "  ", Padded(text, 26), Padded(ApiKeyStateWord(key.state), 13), "account ", key.account,
                    "\n");
  }
  absl::StrAppend(&help, "\nBuilt-in sessions (any other is session_not_found)\n");
  const SessionTable sessions;
  for (const auto& [id, session] : sessions.sessions()) {
    absl::StrAppend(&help, "  ", id, "  ", Padded(session.state, 14), "account ", session.account, "\n");
  }
  return help;
}

}  // namespace

absl::StatusOr<Options> ParseOptions(const std::vector<std::string>& arguments) {
  Options options;
  for (size_t i = 0; i < arguments.size(); ++i) {
    absl::string_view name = arguments[i];
    const size_t equals = name.find('=');
    const bool joined = equals != absl::string_view::npos && name.substr(0, 2) == "--";
    if (joined) name = name.substr(0, equals);
    const OptionRow* row = FindOption(name);
    if (row == nullptr) return absl::InvalidArgumentError(absl::StrCat(name, ": unknown argument; see --help"));
    absl::string_view value;
    if (row->value.empty() && joined) return absl::InvalidArgumentError(absl::StrCat(name, ": takes no value"));
    if (joined) {
      value = absl::string_view(arguments[i]).substr(equals + 1);
    } else if (!row->value.empty()) {
      if (i + 1 == arguments.size()) return absl::InvalidArgumentError(absl::StrCat(name, ": needs ", row->value));
      value = arguments[++i];
    }
    if (absl::Status status = row->set(value, options); !status.ok()) {
      return absl::InvalidArgumentError(absl::StrCat(name, " ", value, ": ", status.message()));
    }
  }
  if (options.tls_certificate_file.empty() != options.tls_key_file.empty()) {
    return absl::InvalidArgumentError("--tls-cert and --tls-key go together: give both or none");
  }
  if (options.deliveries.concurrency < 1) {
    return absl::InvalidArgumentError("--webhook-concurrency 0: at least one delivery must be in flight");
  }
  return options;
}

std::string HelpText() {
  std::string help =
      "aulm-simulator: the aulm API for tests and for trying things out. Nothing reaches WhatsApp.\n"
      "\n"
      "  aulm-simulator --listen 127.0.0.1:8090 --webhook-url http://127.0.0.1:8080/webhooks/aulm --echo\n"
      "\n"
      "Prints 'listening aulm ADDRESS:PORT' once it is ready; ends with status 0 on SIGTERM or SIGINT.\n"
      "The control API under /_simulator is described in tests/simulator/README.md.\n";
  for (const OptionRow& row : OptionTable()) {
    if (!row.section.empty()) absl::StrAppend(&help, "\n", row.section, "\n");
    absl::StrAppend(&help, "  ", row.name, row.value.empty() ? "" : " ", row.value, "\n", Wrapped(row.help, 8));
  }
  absl::StrAppend(&help, BuiltInHelp(), "\nMagic recipients of a send\n", MagicNumberHelp());
  return help;
}

}  // namespace aulm::simulator
