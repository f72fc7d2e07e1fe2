#include <memory>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "client_stubs/cpp/aulmctl/commands.h"
#include "client_stubs/cpp/aulmctl/output.h"

// aulmctl completion bash: a completion for the shell, read off the commands and flags that the parser knows, so that
// it never lags behind them. A flag's type name tells its values: "a|b|TIME" has the words a and b (capitals stand for
// something else), FILE is a file.
namespace aulm::gateway::ctl {
namespace {

constexpr char kBefore[] = R"(# bash completion for aulmctl. Load it with: source <(aulmctl completion bash)
_aulmctl() {
  local cur=${COMP_WORDS[COMP_CWORD]} prev='' command='' words='' i
  if ((COMP_CWORD > 0)); then prev=${COMP_WORDS[COMP_CWORD - 1]}; fi
  # bash makes three words of --flag=value
  if [[ $cur == = ]]; then
    cur=''
  elif [[ $prev == = ]] && ((COMP_CWORD > 1)); then
    prev=${COMP_WORDS[COMP_CWORD - 2]}
  fi
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "$command ${COMP_WORDS[i]}" in
)";

constexpr char kAfter[] = R"(  esac
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
}
complete -F _aulmctl aulmctl
)";

// The words of "earliest|latest|TIME|cursor:BASE64" that can be typed as they stand.
std::string ValueWords(const std::string& type_name) {
  std::vector<std::string> words;
  for (absl::string_view word : absl::StrSplit(type_name, '|')) {
    bool typed = !word.empty();
    for (const char c : word) typed = typed && (absl::ascii_islower(static_cast<unsigned char>(c)) || c == '_');
    if (typed) words.emplace_back(word);
  }
  return absl::StrJoin(words, " ");
}

// What the script is made of, gathered over all commands.
struct Script {
  std::vector<std::string> commands;  // " send", " send text"
  std::vector<std::string> values;    // case branches for the word after a flag
  std::vector<std::string> words;     // case branches for commands and flags
};

void AddFlag(const CLI::Option& option, const std::string& path, bool global, std::vector<std::string>& words,
             Script& script) {
  for (const std::string& name : option.get_lnames()) {
    const std::string flag = absl::StrCat("--", name);
    words.push_back(flag);
    if (option.get_items_expected_max() == 0) continue;
    const std::string type_name = option.get_type_name();
    std::string reply = "return";
    if (type_name == "FILE") {
      reply = "compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- \"$cur\"); return";
    } else if (const std::string values = ValueWords(type_name); !values.empty()) {
      reply = absl::StrCat("mapfile -t COMPREPLY < <(compgen -W '", values, "' -- \"$cur\"); return");
    }
    script.values.push_back(
        absl::StrCat("    ", global ? "*" : absl::StrCat("'", path, "'"), ":", flag, ") ", reply, " ;;"));
  }
}

void Visit(const CLI::App& app, const std::string& path, const std::vector<std::string>& inherited, Script& script) {
  std::vector<std::string> flags = inherited;
  for (const CLI::Option* option : app.get_options()) AddFlag(*option, path, path.empty(), flags, script);
  std::vector<std::string> words;
  for (const CLI::App* command : app.get_subcommands(nullptr)) {
    words.push_back(command->get_name());
  }
  std::vector<std::string> all = words;
  all.insert(all.end(), flags.begin(), flags.end());
  script.words.push_back(absl::StrCat("    '", path, "') words='", absl::StrJoin(all, " "), "' ;;"));
  // --help and --version are each command's own business.
  std::vector<std::string> passed_on;
  for (const std::string& flag : flags) {
    if (flag != "--help" && flag != "--version") passed_on.push_back(flag);
  }
  for (const CLI::App* command : app.get_subcommands(nullptr)) {
    const std::string below = absl::StrCat(path, " ", command->get_name());
    script.commands.push_back(absl::StrCat("'", below, "'"));
    Visit(*command, below, passed_on, script);
  }
}

std::string BashScript(const CLI::App& app) {
  Script script;
  Visit(app, "", {}, script);
  return absl::StrCat(kBefore, "      ", absl::StrJoin(script.commands, " | "),
                      ") command=\"$command ${COMP_WORDS[i]}\" ;;\n",
                      "    esac\n  done\n  case \"$command:$prev\" in\n", absl::StrJoin(script.values, "\n"),
                      "\n  esac\n  case \"$command\" in\n", absl::StrJoin(script.words, "\n"), "\n", kAfter);
}

}  // namespace

void AddCompletion(CLI::App& parent, Invocation& invocation) {
  CLI::App& app = *parent.add_subcommand("completion", "Print a completion for your shell");
  app.require_subcommand(1);
  CLI::App& bash = *app.add_subcommand("bash", "For bash: source <(aulmctl completion bash)");
  bash.callback([&parent, &invocation] {
    invocation.run = [&parent](const GlobalFlags&) { return PrintLine(BashScript(parent)); };
  });
}

}  // namespace aulm::gateway::ctl
