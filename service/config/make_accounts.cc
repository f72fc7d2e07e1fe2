#include "service/config/make_accounts.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "service/base/text.h"
#include "service/config/base_url.h"
#include "service/config/json_duration.h"

namespace aulm::gateway {
namespace {

constexpr absl::string_view kDefaultAccount = "default";
constexpr size_t kLongestName = 63;
constexpr size_t kMostSecretFiles = 16;

absl::string_view Variable(const Environment& environment, absl::string_view name) {
  const auto variable = environment.find(name);
  return variable == environment.end() ? absl::string_view() : absl::string_view(variable->second);
}

bool IsAccountName(absl::string_view name) {
  return !name.empty() && name.size() <= kLongestName && std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return absl::ascii_islower(c) || absl::ascii_isdigit(c) || c == '-';
  });
}

// One pass over all accounts.
class AccountReader {
 public:
  AccountReader(const Environment& environment, const SecretFileReader& read_file, Problems& problems)
      : environment_(environment), read_file_(read_file), problems_(problems) {}

  std::vector<AccountSettings> Read(const config::v1::GatewayConfig& config) {
    std::vector<AccountSettings> accounts;
    bool has_default = false;
    for (int i = 0; i < config.accounts_size(); ++i) {
      accounts.push_back(ReadAccount(absl::StrCat("accounts[", i, "]"), config.accounts(i)));
      has_default |= accounts.back().name == kDefaultAccount;
    }
    if (!has_default && (accounts.empty() || EnvironmentNamesDefault())) {
      config::v1::Account account;
      account.set_name(std::string(kDefaultAccount));
      accounts.push_back(ReadAccount("", account));
    }
    return accounts;
  }

 private:
  bool EnvironmentNamesDefault() const {
    for (const absl::string_view name :
         {"AULM_API_KEY", "AULM_API_KEY_FILE", "AULM_WEBHOOK_SECRET", "AULM_WEBHOOK_SECRET_FILE"}) {
      if (!Variable(environment_, name).empty()) return true;
    }
    return false;
  }

  // `path` is the account's place in the file; empty for the one that only the environment knows.
  AccountSettings ReadAccount(const std::string& path, const config::v1::Account& account) {
    AccountSettings settings;
    settings.name = ReadName(path, account.name());
    settings.base_url = ReadBaseUrl(path, account);
    const bool is_default = settings.name == kDefaultAccount;
    settings.api_key = ReadApiKey(path, account, is_default);
    settings.webhook_secrets = ReadWebhookSecrets(path, account, is_default);
    settings.on_signature_mismatch = account.on_signature_mismatch() == config::v1::ON_SIGNATURE_MISMATCH_RETRY
                                         ? OnSignatureMismatch::kRetry
                                         : OnSignatureMismatch::kReject;
    settings.session_ids = ReadSessionIds(path, account);
    if (account.has_session_poll_interval()) {
      ReadInterval(absl::StrCat(path, ".session_poll_interval"), account.session_poll_interval(),
                   settings.session_poll_interval);
    }
    if (account.has_suspect_after()) {
      ReadInterval(absl::StrCat(path, ".suspect_after"), account.suspect_after(), settings.suspect_after);
    }
    if (settings.session_poll_interval > absl::ZeroDuration() && settings.session_ids.empty()) {
      problems_.Add(absl::StrCat(path, ".session_poll_interval"), "stands without session_ids",
                    "list the sessions that are to be watched under session_ids");
    }
    return settings;
  }

  std::string ReadName(const std::string& path, const std::string& name) {
    const std::string field = absl::StrCat(path, ".name");
    if (name.empty()) {
      problems_.Add(field, "is missing", "give each account a name of its own, such as \"default\"");
    } else if (!IsAccountName(name)) {
      problems_.Add(field, Quoted(name), "write 1 to 63 characters of a to z, 0 to 9 and -");
    } else if (const auto [first, is_new] = named_at_.emplace(name, field); !is_new) {
      problems_.Add(field, absl::StrCat(Quoted(name), " is also ", first->second),
                    "give each account a name of its own");
    }
    return name;
  }

  std::string ReadBaseUrl(const std::string& path, const config::v1::Account& account) {
    std::string field = absl::StrCat(path, ".base_url");
    std::string text = account.has_base_url() ? account.base_url() : AccountSettings().base_url;
    if (const absl::string_view variable = Variable(environment_, "AULM_BASE_URL"); !variable.empty()) {
      field = "AULM_BASE_URL";
      text = std::string(variable);
    }
    auto base_url = ParseBaseUrl(text);
    if (base_url.ok()) return *std::move(base_url);
    if (field != "AULM_BASE_URL" || !std::exchange(named_base_url_variable_, true)) {
      problems_.Add(field, base_url.status());
    }
    return "";
  }

  SecretSource ReadApiKey(const std::string& path, const config::v1::Account& account, bool is_default) {
    if (is_default) {
      const absl::string_view value = Variable(environment_, "AULM_API_KEY");
      const absl::string_view file = Variable(environment_, "AULM_API_KEY_FILE");
      if (!value.empty() && !file.empty()) {
        problems_.Add("AULM_API_KEY", "is set, and AULM_API_KEY_FILE is too", "unset one of them");
        return {};
      }
      if (!value.empty()) return ReadValue("AULM_API_KEY", SecretFormat::kApiKey, value);
      if (!file.empty()) return ReadFile("AULM_API_KEY_FILE", SecretFormat::kApiKey, file, nullptr);
    }
    const std::string field = absl::StrCat(path, ".api_key_file");
    if (account.has_api_key_file()) return ReadFile(field, SecretFormat::kApiKey, account.api_key_file(), nullptr);
    if (path.empty()) {
      problems_.Add("AULM_API_KEY", "no account has a key",
                    "set AULM_API_KEY or AULM_API_KEY_FILE, or list accounts in a file");
    } else {
      problems_.Add(field, "is missing", "give the path of a file that holds the key");
    }
    return {};
  }

  std::vector<SecretSource> ReadWebhookSecrets(const std::string& path, const config::v1::Account& account,
                                               bool is_default) {
    std::vector<Secret> seen;
    if (is_default) {
      const absl::string_view value = Variable(environment_, "AULM_WEBHOOK_SECRET");
      const absl::string_view file = Variable(environment_, "AULM_WEBHOOK_SECRET_FILE");
      if (!value.empty() && !file.empty()) {
        problems_.Add("AULM_WEBHOOK_SECRET", "is set, and AULM_WEBHOOK_SECRET_FILE is too", "unset one of them");
        return {};
      }
      if (!value.empty()) return {ReadValue("AULM_WEBHOOK_SECRET", SecretFormat::kWebhookSecrets, value)};
      if (!file.empty()) return {ReadFile("AULM_WEBHOOK_SECRET_FILE", SecretFormat::kWebhookSecrets, file, &seen)};
    }
    const std::string field = absl::StrCat(path, ".webhook_secret_files");
    if (account.webhook_secret_files().empty()) {
      if (path.empty()) {
        problems_.Add("AULM_WEBHOOK_SECRET", "no account has a webhook secret",
                      "set AULM_WEBHOOK_SECRET or AULM_WEBHOOK_SECRET_FILE, or list accounts in a file");
      } else {
        problems_.Add(field, "is missing", "give the path of a file that holds the endpoint's signing secret");
      }
      return {};
    }
    if (static_cast<size_t>(account.webhook_secret_files_size()) > kMostSecretFiles) {
      problems_.Add(field, absl::StrCat("has more than ", kMostSecretFiles, " files"), "leave out old ones");
      return {};
    }
    std::vector<SecretSource> sources;
    sources.reserve(static_cast<size_t>(account.webhook_secret_files_size()));
    for (int i = 0; i < account.webhook_secret_files_size(); ++i) {
      sources.push_back(ReadFile(absl::StrCat(field, "[", i, "]"), SecretFormat::kWebhookSecrets,
                                 account.webhook_secret_files(i), &seen));
    }
    return sources;
  }

  SecretSource ReadValue(absl::string_view variable, SecretFormat format, absl::string_view value) {
    auto secrets = ParseSecrets(format, value);
    if (!secrets.ok()) {
      problems_.Add(variable, secrets.status());
      return {};
    }
    if (secrets->size() > 1) {
      problems_.Add(variable, "holds more than one line", absl::StrCat("use ", variable, "_FILE for several secrets"));
    }
    return {.file = "", .value = std::move(secrets->front())};
  }

  // `seen`: the account's secrets so far, to which the file's are added.
  SecretSource ReadFile(absl::string_view field, SecretFormat format, absl::string_view file,
                        std::vector<Secret>* seen) {
    const absl::string_view holds = format == SecretFormat::kApiKey ? "the key" : "the endpoint's signing secret";
    const auto content = read_file_(std::string(file));
    if (!content.ok()) {
      problems_.Add(field, absl::StrCat(ShownPath(file), content.status().message()),
                    absl::StrCat("give the path of a file that holds ", holds));
      return {};
    }
    const auto secrets = ParseSecrets(format, content->Reveal());
    if (!secrets.ok()) {
      problems_.Add(absl::StrCat(field, ": ", OnOneLine(file)), secrets.status());
      return {};
    }
    for (const Secret& secret : *secrets) {
      if (seen == nullptr) break;
      if (std::find(seen->begin(), seen->end(), secret) != seen->end()) {
        problems_.Add(absl::StrCat(field, ": ", OnOneLine(file)),
                      "holds a secret that an earlier file of the account holds too", "leave one of them");
      }
      seen->push_back(secret);
    }
    return {.file = std::string(file), .value = Secret()};
  }

  void ReadInterval(const std::string& field, const google::protobuf::Duration& given, absl::Duration& setting) {
    const absl::Duration value = absl::Seconds(given.seconds()) + absl::Nanoseconds(given.nanos());
    if (value == absl::ZeroDuration() || (value >= absl::Seconds(1) && value <= absl::Hours(24))) {
      setting = value;
      return;
    }
    problems_.Add(field, absl::StrCat(ToJsonDuration(value), " is not within 1s to 86400s"),
                  "give a duration in that range, or 0s for never");
  }

  std::vector<std::string> ReadSessionIds(const std::string& path, const config::v1::Account& account) {
    std::vector<std::string> ids;
    for (int i = 0; i < account.session_ids_size(); ++i) {
      const std::string field = absl::StrCat(path, ".session_ids[", i, "]");
      std::string id = absl::AsciiStrToLower(account.session_ids(i));
      if (!IsUuid(id)) {
        problems_.Add(field, absl::StrCat(Quoted(id), " is not a UUID"), "copy the session's id from aulm's dashboard");
      } else if (const auto [first, is_new] = session_at_.emplace(id, field); !is_new) {
        problems_.Add(field, absl::StrCat(id, " is also ", first->second), "list each session once, in one account");
      }
      ids.push_back(std::move(id));
    }
    return ids;
  }

  const Environment& environment_;
  const SecretFileReader& read_file_;
  Problems& problems_;
  absl::flat_hash_map<std::string, std::string> named_at_;    // account name → its field
  absl::flat_hash_map<std::string, std::string> session_at_;  // session id → its field
  bool named_base_url_variable_ = false;
};

}  // namespace

std::vector<AccountSettings> MakeAccounts(const config::v1::GatewayConfig& config, const Environment& environment,
                                          const SecretFileReader& read_file, Problems& problems) {
  return AccountReader(environment, read_file, problems).Read(config);
}

}  // namespace aulm::gateway
