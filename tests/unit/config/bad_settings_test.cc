#include <string>
#include <vector>

#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "service/config/load_settings.h"
#include "tests/unit/config/config_folder.h"

namespace aulm::gateway {
namespace {

// A configuration that must be refused, and exactly what is said about it. $D stands for the test's folder, in which
// there are: key and key2 (keys), secrets ("one", "two"), secrets2 ("two"), cert, empty, notes ("canary…", no key).
struct BadSettings {
  std::string file;         // the JSON; without any when empty
  Environment environment;  // over AULM_API_KEY and AULM_WEBHOOK_SECRET, which are good
  std::string problems;
};

void PrintTo(const BadSettings& bad, std::ostream* out) { *out << bad.file; }

// An account of a file that is good but for what is in it.
std::string Account(const std::string& fields) { return R"({"accounts": [{)" + fields + "}]}"; }
constexpr char kKey[] = R"("api_key_file": "$D/key")";
constexpr char kSecrets[] = R"("webhook_secret_files": ["$D/secrets"])";
constexpr char kId[] = "11111111-2222-3333-4444-555555555555";

std::string Good(const std::string& name) { return R"({"name": ")" + name + R"(", )" + kKey + ", " + kSecrets + "}"; }
std::string WithSessions(const std::string& name, const std::string& ids) {
  return R"({"name": ")" + name + R"(", )" + kKey + ", " + kSecrets + R"(, "session_ids": [)" + ids + "]}";
}

constexpr char kToken[] = R"("token_sha256_file": "$D/digest")";
std::string Caller(const std::string& fields) { return R"({"callers": [{)" + fields + "}]}"; }
// Where certificates are heard of.
std::string Trusting(const std::string& fields) {
  return R"({"listeners": {"grpc": {"trusted_identity_header": {"name": "l5d-client-id", "from_addresses":
      ["127.0.0.1"]}}}, "callers": [{)" +
         fields + "}]}";
}

const std::string kAddressRemedy = "write host:port, such as 127.0.0.1:8080, [::1]:8080 or localhost:8080";
const std::string kUrlRemedy = "write scheme, host and port alone, such as https://api.aulm.io";
const std::string kDurationRemedy = "write seconds with an s in quotes, such as \"60s\" or \"0.25s\"";

const BadSettings kTable[] = {
    // The file itself.
    {"",
     {{"GATEWAY_CONFIG", "$D/none.json"}},
     "GATEWAY_CONFIG: $D/none.json: cannot be read (No such file or directory): give the path of a JSON file, as "
     "docs/configuration.md shows"},
    {"",
     {{"GATEWAY_CONFIG", "$D"}},
     "GATEWAY_CONFIG: $D: is not a regular file: give the path of a JSON file, as docs/configuration.md shows"},
    {"{", {}, "$D/c.json:1:2: not valid JSON (incomplete JSON): mend the text there or just before"},
    {"{\n\"store\": {},\n}", {}, "$D/c.json:3:1: not valid JSON (syntax error): mend the text there or just before"},
    {"[]", {}, "$D/c.json: is not a JSON object: write { \"accounts\": … }, as docs/configuration.md shows"},
    {R"({"_comment": "x"})",
     {},
     "_comment: unknown field: the fields here are listeners, store, accounts, limits, log, pacing, sends, callers"},
    {R"({"pacing": {"interval": "0s"}})", {}, "pacing.interval: is 0: give 1ms to 24h"},
    {R"({"pacing": {"jitter": 2}})", {}, "pacing.jitter: is outside 0 to 1: give a part such as 0.2"},
    {R"({"pacing": {"jitter": "x"}})",
     {},
     "pacing.jitter: is a string, must be a number: write it in digits, such as 0.2"},
    {R"({"pacing": {"burst": 0}})", {}, "pacing.burst: is 0: give 1 to 1000"},
    {R"({"pacing": {"warm_up": {"days": 0}}})", {}, "pacing.warm_up.days: is 0: give 1 to 365"},
    {R"({"pacing": {"sessions": [{"session_id": "x"}]}})",
     {},
     "pacing.sessions[0].session_id: is no UUID: copy it from aulm's dashboard"},
    {R"({"pacing": {"sessions": [{"active_since": "soon", "burst": 0}]}})",
     {},
     "pacing.sessions[0].session_id: is no UUID: copy it from aulm's dashboard\n"
     "pacing.sessions[0].burst: is 0: give 1 to 1000\n"
     "pacing.sessions[0].active_since: is no day: write it as 2026-01-31"},
    {R"({"pacing": {"sessions": [{"session_id": "11111111-2222-3333-4444-555555555555", "active_since": "soon"}]}})",
     {},
     "pacing.sessions[0].active_since: is no day: write it as 2026-01-31"},
    {R"({"listener": {}})", {}, "listener: unknown field: did you mean listeners?"},
    {R"({"store": {"url": "sqlite://a", "url": "sqlite://b"}})", {}, "store.url: is given twice: leave one of them"},
    {R"({"store": {"dedupe_retention": "1s", "dedupeRetention": "1s"}})",
     {},
     "store.dedupe_retention: is given twice, in two spellings: leave one of them"},
    {R"({"store": []})", {}, "store: is a list, must be an object: write it in { }"},
    {R"({"accounts": {}})", {}, "accounts: is an object, must be a list: write it in [ ]"},
    {R"({"accounts": [null]})", {}, "accounts[0]: is null, must be an object: write it in { }"},

    // Listeners.
    {R"({"listeners": {"grpc": {"adress": "x"}}})", {}, "listeners.grpc.adress: unknown field: did you mean address?"},
    {R"({"listeners": {"grpc": {"address": ""}}})", {}, "listeners.grpc.address: \"\" has no port: " + kAddressRemedy},
    {R"({"listeners": {"grpc": {"address": "127.0.0.1"}}})",
     {},
     "listeners.grpc.address: \"127.0.0.1\" has no port: " + kAddressRemedy},
    {R"({"listeners": {"grpc": {"address": 50051}}})",
     {},
     "listeners.grpc.address: is a number, must be a string: write it in quotes"},
    {R"({"listeners": {"webhook": {"address": "127.0.0.1:65536"}}})",
     {},
     "listeners.webhook.address: \"127.0.0.1:65536\" has a port that is no number from 0 to 65535: " + kAddressRemedy},
    {R"({"listeners": {"webhook": {"address": ":8080"}}})",
     {},
     "listeners.webhook.address: \":8080\" has no host: " + kAddressRemedy},
    {R"({"listeners": {"webhook": {"address": "::1:8080"}}})",
     {},
     "listeners.webhook.address: \"::1:8080\" has an IPv6 address without brackets: " + kAddressRemedy},
    {R"({"listeners": {"webhook": {"address": "[::g]:8080"}}})",
     {},
     "listeners.webhook.address: \"[::g]:8080\" has no IPv6 address in its brackets: " + kAddressRemedy},
    {R"({"listeners": {"webhook": {"address": "256.0.0.1:8080"}}})",
     {},
     "listeners.webhook.address: \"256.0.0.1:8080\" has a host that is neither an IP address nor a host name: " +
         kAddressRemedy},
    {"", {{"GATEWAY_GRPC_LISTEN", "50051"}}, "GATEWAY_GRPC_LISTEN: \"50051\" has no port: " + kAddressRemedy},
    {"",
     {{"GATEWAY_WEBHOOK_LISTEN", "localhost:http"}},
     "GATEWAY_WEBHOOK_LISTEN: \"localhost:http\" has a port that is no number from 0 to 65535: " + kAddressRemedy},
    {"",
     {{"GATEWAY_ADMIN_LISTEN", "a b:1"}},
     "GATEWAY_ADMIN_LISTEN: \"a b:1\" has a host that is neither an IP address nor a host name: " + kAddressRemedy},
    {"",
     {{"GATEWAY_GRPC_LISTEN", "0.0.0.0:50051"}},
     "GATEWAY_GRPC_LISTEN: 0.0.0.0:50051 is open to the network, where anyone could send: list callers, listen on "
     "127.0.0.1, or set listeners.grpc.callers_optional if the network itself keeps others out"},
    {R"({"listeners": {"grpc": {"address": "[::]:50051", "callers_optional": false}}})",
     {},
     "listeners.grpc.address: [::]:50051 is open to the network, where anyone could send: list callers, listen on "
     "127.0.0.1, or set listeners.grpc.callers_optional if the network itself keeps others out"},
    {R"({"listeners": {"grpc": {"callers_optional": "yes"}}})",
     {},
     "listeners.grpc.callers_optional: is a string, must be true or false: write it without quotes"},
    {R"({"listeners": {"admin": {"address": "10.0.0.1:9090"}}})",
     {},
     "listeners.admin.address: 10.0.0.1:9090 is open to the network: listen on 127.0.0.1, or set "
     "listeners.admin.token_sha256_file, so that its page asks for a token"},
    {"",
     {{"GATEWAY_ADMIN_LISTEN", "gateway.internal:9090"}},
     "GATEWAY_ADMIN_LISTEN: gateway.internal:9090 is open to the network: listen on 127.0.0.1, or set "
     "listeners.admin.token_sha256_file, so that its page asks for a token"},
    {R"({"listeners": {"admin": {"token_sha256_file": "$D/none"}}})",
     {},
     "listeners.admin.token_sha256_file: $D/none: cannot be read (No such file or directory): give the path of a file "
     "that holds the token's SHA-256"},
    {R"({"listeners": {"grpc": {"trusted_identity_header": {"name": "x-user", "from_addresses": ["localhost"]}}}})",
     {},
     "listeners.grpc.trusted_identity_header.name: \"x-user\" is no header that is known: write "
     "x-forwarded-client-cert (Envoy, Istio) or l5d-client-id (Linkerd)\n"
     "listeners.grpc.trusted_identity_header.from_addresses[0]: \"localhost\" is no IP address: write one such as "
     "127.0.0.6, or a prefix such as 10.1.2.0/28"},
    {R"({"listeners": {"grpc": {"trusted_identity_header": {"name": "l5d-client-id"}}}})",
     {},
     "listeners.grpc.trusted_identity_header.from_addresses: is empty: give the addresses of the proxy that sets the "
     "header, such as 127.0.0.6"},
    {R"({"listeners": {"grpc": {"trusted_identity_header": {"name": "l5d-client-id",
        "from_addresses": ["0.0.0.0/0", "::/0", "10.0.0.0/7", "10.0.0.1/33", "1.2.3.4/"]}}}})",
     {},
     absl::StrReplaceAll(
         "from[0]: \"0.0.0.0/0\" takes in too many\nfrom[1]: \"::/0\" takes in too many\n"
         "from[2]: \"10.0.0.0/7\" takes in too many\nfrom[3]: \"10.0.0.1/33\" is no\nfrom[4]: \"1.2.3.4/\" is no",
         {{"from", "listeners.grpc.trusted_identity_header.from_addresses"},
          {"too many", "too many addresses: name the proxy's own: whoever calls from there is believed to be anyone"},
          {"is no", "is no IP address: write one such as 127.0.0.6, or a prefix such as 10.1.2.0/28"}})},
    {R"({"listeners": {"webhook": {"tls": {"client_ca_file": "x"}}}})",
     {},
     "listeners.webhook.tls.client_ca_file: unknown field: the fields here are certificate_file, key_file"},

    // Callers.
    {Caller(kToken), {}, "callers[0].name: is missing: give each caller a name of its own, such as \"shop\""},
    {Caller(R"("name": "Shop", )" + std::string(kToken)),
     {},
     "callers[0].name: \"Shop\": write 1 to 63 characters of a to z, 0 to 9 and -"},
    {R"({"callers": [{"name": "a", "token_sha256_file": "$D/digest"}, {"name": "a", "token_sha256_file": "$D/digest2"}]})",
     {},
     "callers[1].name: \"a\" is also callers[0].name: give each caller a name of its own"},
    {R"({"callers": [{"name": "a", "token_sha256_file": "$D/digest"}, {"name": "b", "token_sha256_file": "$D/digests"}]})",
     {},
     "callers[1].token_sha256_file: holds the digest of a token that is also callers[0].token_sha256_file: give each "
     "caller a token of its own"},
    {Caller(R"("name": "a")"),
     {},
     "callers[0]: does not say who it is: give it token_sha256_file, spiffe_id or dns_name"},
    {Caller(R"("name": "a", "spiffe_id": "spiffe://a/b", )" + std::string(kToken)),
     {},
     "callers[0]: says in more than one way who it is: leave one of token_sha256_file, spiffe_id and dns_name, or make "
     "two callers of it"},
    {Caller(R"("name": "a", "token_sha256_file": "canary-token")"),
     {},
     "callers[0].token_sha256_file: cannot be read (No such file or directory): give the path of a file that holds the "
     "token's SHA-256"},
    {Caller(R"("name": "a", "token_sha256_file": "$D/notes")"),
     {},
     "callers[0].token_sha256_file: $D/notes: holds a line that is no SHA-256 of 64 hexadecimal digits, perhaps the "
     "token "
     "itself: put its SHA-256 there, as printf %s \"$TOKEN\" | sha256sum | cut -d' ' -f1 prints it"},
    {Caller(R"("name": "a", "token_sha256_file": "$D/empty")"),
     {},
     "callers[0].token_sha256_file: $D/empty: holds no digest of a token: put its SHA-256 there, as printf %s "
     "\"$TOKEN\" "
     "| sha256sum | cut -d' ' -f1 prints it"},
    {Caller(R"("name": "a", "spiffe_id": "spiffe://cluster.local/ns/../sa")"),
     {},
     "callers[0].spiffe_id: \"spiffe://cluster.local/ns/../sa\" is no SPIFFE id: write it as in the certificate, such "
     "as "
     "spiffe://cluster.local/ns/shop/sa/orders\n"
     "callers[0].spiffe_id: is of a certificate, and callers are asked for none: set "
     "listeners.grpc.tls.client_ca_file, "
     "or listeners.grpc.trusted_identity_header behind a mesh"},
    {Trusting(R"("name": "a", "dns_name": "*.example.com")"),
     {},
     "callers[0].dns_name: \"*.example.com\" is no whole DNS name: write it as in the certificate, without wildcards, "
     "such as orders.shop.example.com"},
    {Caller(R"("name": "a", "methods": ["SendTxt", "x", "*"], )" + std::string(kToken)),
     {},
     "callers[0].methods[0]: \"SendTxt\" is no method: did you mean SendText?\n"
     "callers[0].methods[1]: \"x\" is no method: write its bare name, such as \"SendText\", or \"*\" alone for all\n"
     "callers[0].methods: has \"*\" beside others: leave \"*\" alone for all, or take it out"},
    {R"({"accounts": [)" + Good("a") + R"(], "callers": [{"name": "a", "accounts": ["b"], )" + kToken + "}]}",
     {},
     "callers[0].accounts[0]: \"b\" is no account: write the name of one of accounts, or \"*\" alone for all"},
    {Caller(R"("name": "a", "session_ids": ["1"], )" + std::string(kToken)),
     {},
     "callers[0].session_ids[0]: \"1\" is not a UUID: copy the session's id from aulm's dashboard, or write \"*\" "
     "alone "
     "for all"},
    {Caller(R"("name": "a", "max_streams": -1, "max_subscriptions": 1000001, "sends_per_second": -1, )" +
            std::string(kToken)),
     {},
     "callers[0].max_streams: -1 is not within 0 to 1000000: give a number in that range, or leave it out for no "
     "limit\n"
     "callers[0].max_subscriptions: 1000001 is not within 0 to 1000000: give a number in that range, or leave it out "
     "for no limit\n"
     "callers[0].sends_per_second: is neither 0 nor within 0.001 to 1000000: give a number in that range, or leave it "
     "out for no "
     "limit"},
    {Caller(R"("name": "a", "token": "x")"), {}, "callers[0].token: unknown field: did you mean token_sha256_file?"},
    {R"({"listeners": {"webhook": {"address": "127.0.0.1:50051"}}})",
     {},
     "listeners.webhook.address: 127.0.0.1:50051 is the grpc listener's too: give each listener a port of its own"},
    {"",
     {{"GATEWAY_ADMIN_LISTEN", "127.0.0.1:8080"}},
     "GATEWAY_ADMIN_LISTEN: 127.0.0.1:8080 is the webhook listener's too: give each listener a port of its own"},
    {R"({"listeners": {"grpc": {"tls": {}}}})",
     {},
     "listeners.grpc.tls.certificate_file: is missing: give the path of a file that holds a PEM certificate\n"
     "listeners.grpc.tls.key_file: is missing: give the path of a file that holds its private key in PEM"},
    {R"({"listeners": {"webhook": {"tls": {"certificate_file": "$D/cert", "key_file": "$D/none"}}}})",
     {},
     "listeners.webhook.tls.key_file: $D/none: cannot be read (No such file or directory): give the path of a file "
     "that "
     "holds its private key in PEM"},
    {R"({"listeners": {"admin": {"tls": {"certificate_file": "$D/cert", "key_file": "$D/cert"}}}})",
     {},
     "listeners.admin.tls: $D/cert holds no PEM certificate: put the listener's certificate there, and the rest of its "
     "chain behind it"},

    // The store.
    {R"({"store": {"url": "nats://localhost:4222,"}})",
     {},
     "store.url: names no NATS server, or one without a name: write nats://host:4222,host:4222"},
    {"",
     {{"GATEWAY_STORE", "nats://user:canary@"}},
     "GATEWAY_STORE: names no NATS server, or one without a name: write nats://host:4222,host:4222"},
    {R"({"store": {"nats": {"prefix": "Aulm.x"}}})",
     {},
     "store.nats.prefix: \"Aulm.x\" cannot stand in a stream's name: use 1 to 32 characters of a to z, 0 to 9 and -"},
    {R"({"store": {"nats": {"replicas": 6}}})",
     {},
     "store.nats.replicas: 6 is not within 0 to 5: give 3 for a cluster of three servers or more, or leave it out"},
    {R"({"store": {"nats": {"credentials_file": "$D/none"}}})",
     {},
     "store.nats.credentials_file: $D/none: cannot be read (No such file or directory): give the path of a file that "
     "holds NATS credentials (.creds)"},
    {R"({"store": {"nats": {"tls": {"certificate_file": "$D/cert"}}}})",
     {},
     "store.nats.tls.key_file: is missing: give the path of a file that holds its private key in PEM"},
    {"",
     {{"GATEWAY_STORE", "./data"}},
     "GATEWAY_STORE: \"./data\" names no store: write sqlite://<folder>, such as sqlite:///var/lib/aulm-gateway or "
     "sqlite://./data, or nats://host:4222,host:4222"},
    {"",
     {{"GATEWAY_STORE", "sqlite://a\nb"}},
     "GATEWAY_STORE: holds control characters or bytes that are not UTF-8: leave them out"},
    {"",
     {{"GATEWAY_STORE", "sqlite://\xff"}},
     "GATEWAY_STORE: holds control characters or bytes that are not UTF-8: leave them out"},
    {R"({"store": {"url": "sqlite://"}})",
     {},
     "store.url: \"sqlite://\" names no store: write sqlite://<folder>, such as sqlite:///var/lib/aulm-gateway or "
     "sqlite://./data, or nats://host:4222,host:4222"},
    {R"({"store": {"retention": "3599s"}})",
     {},
     "store.retention: 3599s is not within 3600s to 315360000s: give a duration in that range, or leave it out for "
     "2592000s"},
    {R"({"store": {"retention": "-1s"}})",
     {},
     "store.retention: -1s is not within 3600s to 315360000s: give a duration in that range, or leave it out for "
     "2592000s"},
    {R"({"store": {"retention": "30d"}})", {}, "store.retention: is not a duration: " + kDurationRemedy},
    {R"({"store": {"retention": 86400}})", {}, "store.retention: is not a duration: " + kDurationRemedy},
    {R"({"store": {"dedupe_retention": "2591999.5s"}})",
     {},
     "store.dedupe_retention: 2591999.5s is not within 2592000s to 315360000s: give a duration in that range, or leave "
     "it out for 2592000s"},
    {R"({"store": {"max_bytes": 1000000}})",
     {},
     "store.max_bytes: 1000000 is less than 16777216: give at least that many bytes, or 0 for no bound"},
    {R"({"store": {"max_bytes": -1}})",
     {},
     "store.max_bytes: -1 is less than 16777216: give at least that many bytes, or 0 for no bound"},
    {R"({"store": {"max_bytes": "10 GiB"}})",
     {},
     "store.max_bytes: is not a whole number in range: write it in digits"},

    // Accounts.
    {Account(std::string(kKey) + ", " + kSecrets),
     {},
     "accounts[0].name: is missing: give each account a name of its own, such as \"default\""},
    {Account(R"("name": "My Shop", )" + std::string(kKey) + ", " + kSecrets),
     {},
     "accounts[0].name: \"My Shop\": write 1 to 63 characters of a to z, 0 to 9 and -"},
    {Account(R"("name": ")" + std::string(64, 'a') + R"(", )" + kKey + ", " + kSecrets),
     {},
     "accounts[0].name: \"" + std::string(64, 'a') + "\": write 1 to 63 characters of a to z, 0 to 9 and -"},
    {R"({"accounts": [)" + Good("a") + ", " + Good("b") + ", " + Good("a") + "]}",
     {},
     "accounts[2].name: \"a\" is also accounts[0].name: give each account a name of its own"},
    {Account(R"("name": "a", "base_url": "http://api.aulm.io", )" + std::string(kKey) + ", " + kSecrets),
     {},
     "accounts[0].base_url: would send the key in the clear: use https; plain http goes to a loopback address only"},
    {Account(R"("name": "a", "base_url": "https://me:canary@api.aulm.io", )" + std::string(kKey) + ", " + kSecrets),
     {},
     "accounts[0].base_url: holds a user name: " + kUrlRemedy},
    {"", {{"AULM_BASE_URL", "api.aulm.io"}}, "AULM_BASE_URL: is no URL: " + kUrlRemedy},
    {"", {{"AULM_BASE_URL", "ftp://api.aulm.io"}}, "AULM_BASE_URL: is neither an https nor an http URL: " + kUrlRemedy},
    {"", {{"AULM_BASE_URL", "https://api.aulm.io/v1"}}, "AULM_BASE_URL: holds a path: " + kUrlRemedy},
    {"", {{"AULM_BASE_URL", "https://api.aulm.io?x=canary"}}, "AULM_BASE_URL: holds a query: " + kUrlRemedy},
    {"", {{"AULM_BASE_URL", "https://:443"}}, "AULM_BASE_URL: holds no valid host and port: " + kUrlRemedy},
    {R"({"accounts": [)" + Good("a") + ", " + Good("b") + "]}",
     {{"AULM_BASE_URL", "x"}},
     "AULM_BASE_URL: is no URL: " + kUrlRemedy},
    {Account(R"("name": "a", "on_signature_mismatch": "IGNORE", )" + std::string(kKey) + ", " + kSecrets),
     {},
     "accounts[0].on_signature_mismatch: is \"IGNORE\": write \"REJECT\" or \"RETRY\""},
    {Account(R"("name": "a", "on_signature_mismatch": true, )" + std::string(kKey) + ", " + kSecrets),
     {},
     "accounts[0].on_signature_mismatch: is no known value: write \"REJECT\" or \"RETRY\""},
    {R"({"accounts": [)" + WithSessions("a", "\"12\"") + "]}",
     {},
     "accounts[0].session_ids[0]: \"12\" is not a UUID: copy the session's id from aulm's dashboard"},
    {R"({"accounts": [)" + WithSessions("a", std::string("\"") + kId + "\"") + ", " +
         WithSessions("b", std::string("\"00000000-2222-3333-4444-555555555555\", \"") + kId + "\"") + "]}",
     {},
     std::string("accounts[1].session_ids[1]: ") + kId +
         " is also accounts[0].session_ids[0]: list each session once, in one account"},
    {R"({"accounts": [)" +
         WithSessions("a",
                      "\"AAAAAAAA-2222-3333-4444-555555555555\", "
                      "\"aaaaaaaa-2222-3333-4444-555555555555\"") +
         "]}",
     {},
     "accounts[0].session_ids[1]: aaaaaaaa-2222-3333-4444-555555555555 is also accounts[0].session_ids[0]: list each "
     "session once, in one account"},

    // Keys.
    {"",
     {{"AULM_API_KEY", ""}},
     "AULM_API_KEY: no account has a key: set AULM_API_KEY or AULM_API_KEY_FILE, or list accounts in a file"},
    {"", {{"AULM_API_KEY_FILE", "$D/key"}}, "AULM_API_KEY: is set, and AULM_API_KEY_FILE is too: unset one of them"},
    {"",
     {{"AULM_API_KEY", "canary"}},
     "AULM_API_KEY: begins with neither alm_sk_live_ nor alm_sk_test_: copy the whole key from aulm's dashboard"},
    {"",
     {{"AULM_API_KEY", "alm_sk_live_can ary"}},
     "AULM_API_KEY: is no whole aulm API key: copy the whole key from aulm's dashboard, without spaces or quotes"},
    {"",
     {{"AULM_API_KEY", ""}, {"AULM_API_KEY_FILE", "$D/none"}},
     "AULM_API_KEY_FILE: $D/none: cannot be read (No such file or directory): give the path of a file that holds the "
     "key"},
    {"",
     {{"AULM_API_KEY", ""}, {"AULM_API_KEY_FILE", "alm_sk_live_canary"}},
     "AULM_API_KEY_FILE: cannot be read (No such file or directory): give the path of a file that holds the key"},
    {"",
     {{"AULM_API_KEY", ""}, {"AULM_API_KEY_FILE", "$D/notes"}},
     "AULM_API_KEY_FILE: $D/notes: begins with neither alm_sk_live_ nor alm_sk_test_: copy the whole key from aulm's "
     "dashboard"},
    {R"({"accounts": [)" + Good("a") + R"(, {"name": "b", "api_key_file": "$D/none", )" + kSecrets + "}]}",
     {},
     "accounts[1].api_key_file: $D/none: cannot be read (No such file or directory): give the path of a file that "
     "holds the key"},
    {Account(R"("name": "a", "api_key_file": "", )" + std::string(kSecrets)),
     {},
     "accounts[0].api_key_file: cannot be read (No such file or directory): give the path of a file that holds the "
     "key"},
    {Account(R"("name": "a", "api_key": "alm_sk_live_canary", )" + std::string(kSecrets)),
     {},
     "accounts[0].api_key: unknown field: did you mean api_key_file?"},
    {Account(R"("name": "a", "api_key_file": "$D/empty", )" + std::string(kSecrets)),
     {},
     "accounts[0].api_key_file: $D/empty: holds no key: put one aulm API key there, on one line"},
    {Account(R"("name": "a", "api_key_file": "$D/secrets", )" + std::string(kSecrets)),
     {},
     "accounts[0].api_key_file: $D/secrets: holds more than one line: put one aulm API key there, on one line"},
    {Account(R"("name": "a", )" + std::string(kSecrets)),
     {},
     "accounts[0].api_key_file: is missing: give the path of a file that holds the key"},

    // Webhook secrets.
    {"",
     {{"AULM_WEBHOOK_SECRET", ""}},
     "AULM_WEBHOOK_SECRET: no account has a webhook secret: set AULM_WEBHOOK_SECRET or AULM_WEBHOOK_SECRET_FILE, or "
     "list accounts in a file"},
    {"",
     {{"AULM_WEBHOOK_SECRET", "\n"}},
     "AULM_WEBHOOK_SECRET: holds no secret: put the endpoint's signing secret from aulm's dashboard there"},
    {"",
     {{"AULM_WEBHOOK_SECRET", "canary\ncanary2"}},
     "AULM_WEBHOOK_SECRET: holds more than one line: use AULM_WEBHOOK_SECRET_FILE for several secrets"},
    {"",
     {{"AULM_WEBHOOK_SECRET_FILE", "$D/secrets"}},
     "AULM_WEBHOOK_SECRET: is set, and AULM_WEBHOOK_SECRET_FILE is too: unset one of them"},
    {"",
     {{"AULM_WEBHOOK_SECRET", ""}, {"AULM_WEBHOOK_SECRET_FILE", "canary"}},
     "AULM_WEBHOOK_SECRET_FILE: cannot be read (No such file or directory): give the path of a file that holds the "
     "endpoint's signing secret"},
    {"",
     {{"AULM_WEBHOOK_SECRET", ""}, {"AULM_WEBHOOK_SECRET_FILE", "$D/empty"}},
     "AULM_WEBHOOK_SECRET_FILE: $D/empty: holds no secret: put the endpoint's signing secret from aulm's dashboard "
     "there"},
    {Account(R"("name": "a", )" + std::string(kKey)),
     {},
     "accounts[0].webhook_secret_files: is missing: give the path of a file that holds the endpoint's signing secret"},
    {Account(R"("name": "a", )" + std::string(kKey) + R"(, "webhook_secret_files": [])"),
     {},
     "accounts[0].webhook_secret_files: is missing: give the path of a file that holds the endpoint's signing secret"},
    {Account(R"("name": "a", )" + std::string(kKey) + R"(, "webhook_secret_files": "$D/secrets")"),
     {},
     "accounts[0].webhook_secret_files: is a string, must be a list: write it in [ ]"},
    {Account(R"("name": "a", )" + std::string(kKey) + R"(, "webhook_secret_files": ["$D/secrets", "$D/secrets2"])"),
     {},
     "accounts[0].webhook_secret_files[1]: $D/secrets2: holds a secret that an earlier file of the account holds too: "
     "leave one of them"},
    {Account(R"("name": "a", )" + std::string(kKey) + R"(, "webhook_secret_files": ["$D/doubled"])"),
     {},
     "accounts[0].webhook_secret_files[0]: $D/doubled: holds a secret twice: leave one of them"},
    {Account(R"("name": "a", )" + std::string(kKey) +
             R"(, "webhook_secret_files": ["","","","","","","","","","","","","","","","",""])"),
     {},
     "accounts[0].webhook_secret_files: has more than 16 files: leave out old ones"},

    // Limits and the log.
    {R"({"limits": {"streams": 0}})",
     {},
     "limits.streams: 0 is not within 1 to 1000000: give a number in that range, or leave it out for 10000"},
    {R"({"limits": {"streams": 1000001}})",
     {},
     "limits.streams: 1000001 is not within 1 to 1000000: give a number in that range, or leave it out for 10000"},
    {R"({"limits": {"streams": 1.5}})", {}, "limits.streams: is not a whole number in range: write it in digits"},
    {R"({"limits": {"streams": true}})",
     {},
     "limits.streams: is true or false, must be a whole number: write it in digits"},
    {R"({"limits": {"max_image_bytes": 8388608}})",
     {},
     "limits.max_image_bytes: 8388608 is not within 1024 to 7340032: give a number in that range, or leave it out for "
     "5242880"},
    {R"({"limits": {"webhook_body_bytes": 1048577}})",
     {},
     "limits.webhook_body_bytes: 1048577 is not within 1024 to 1048576: give a number in that range, or leave it out "
     "for 1048576"},
    {R"({"limits": {"webhook_connections": 65537}})",
     {},
     "limits.webhook_connections: 65537 is not within 1 to 65536: give a number in that range, or leave it out for "
     "1024"},
    {R"({"limits": {"webhook_connections_per_address": 0}})",
     {},
     "limits.webhook_connections_per_address: 0 is not within 1 to 65536: give a number in that range, or leave it out "
     "for 512"},
    {R"({"limits": {"webhooks_in_flight": -1}})",
     {},
     "limits.webhooks_in_flight: -1 is not within 1 to 1000000: give a number in that range, or leave it out for 8192"},
    {R"({"limits": {"max_in_flight_sends": 0}})",
     {},
     "limits.max_in_flight_sends: 0 is not within 1 to 1000000: give a number in that range, or leave it out for "
     "10000"},
    {R"({"limits": {"subscriptions": 100001}})",
     {},
     "limits.subscriptions: 100001 is not within 1 to 100000: give a number in that range, or leave it out for 1000"},
    {R"({"limits": {"ring_bytes": 1}})",
     {},
     "limits.ring_bytes: 1 is not within 1048576 to 4294967296: give a number in that range, or leave it out for "
     "33554432"},
    {R"({"limits": {"stream_max_age": "59s"}})",
     {},
     "limits.stream_max_age: 59s is not within 60s to 604800s: give a duration in that range, or leave it out for "
     "3600s"},
    {R"({"limits": {"stream_stall": "0s"}})",
     {},
     "limits.stream_stall: 0s is not within 1s to 3600s: give a duration in that range, or leave it out for 60s"},
    {R"({"limits": {"send_settle": "601s"}})",
     {},
     "limits.send_settle: 601s is not within 1s to 600s: give a duration in that range, or leave it out for 60s"},
    {R"({"limits": {"default_deadline": "0.999999999s"}})",
     {},
     "limits.default_deadline: 0.999999999s is not within 1s to 600s: give a duration in that range, or leave it out "
     "for 30s"},
    {R"({"limits": {"drain_delay": "301s"}})",
     {},
     "limits.drain_delay: 301s is not within 0s to 300s: give a duration in that range, or leave it out for 0s"},
    {R"({"limits": {"threads": 5}})",
     {},
     "limits.threads: unknown field: the fields here are max_image_bytes, webhook_body_bytes, "
     "webhook_connections, webhooks_in_flight, streams, stream_max_age, stream_stall, ring_bytes, send_settle, "
     "default_deadline, max_in_flight_sends, webhook_connections_per_address, subscriptions, drain_delay, "
     "grpc_memory_bytes, "
     "grpc_threads, "
     "calls_per_connection, header_list_bytes, "
     "keepalive_interval, keepalive_timeout, min_ping_interval"},
    {Account(R"("name": "a", )" + std::string(kKey) + ", " + kSecrets + R"(, "session_poll_interval": "60s")"),
     {},
     "accounts[0].session_poll_interval: stands without session_ids: list the sessions that are to be watched under "
     "session_ids"},
    {Account(R"("name": "a", )" + std::string(kKey) + ", " + kSecrets + R"(, "suspect_after": "0.5s")"),
     {},
     "accounts[0].suspect_after: 0.5s is not within 1s to 86400s: give a duration in that range, or 0s for never"},
    {R"({"sends": {"request_id_retention": "3599s"}})",
     {},
     "sends.request_id_retention: 3599s is not within 3600s to 7776000s: give a duration in that range, or leave it "
     "out "
     "for 86400s"},
    {R"({"log": {"level": "INFO"}})", {}, "log.level: \"INFO\" is no level: write trace, debug, info, warn or error"},
    {R"({"log": {"level": "in\u0007fo"}})", {}, "log.level: holds a control character: leave it out"},

    // Several at once, each on its line.
    {R"({"listeners": {"grpc": {"address": "x"}}, "store": {"url": "y"}, "log": {"level": "z"}})",
     {{"AULM_API_KEY", "canary"}},
     "listeners.grpc.address: \"x\" has no port: " + kAddressRemedy +
         "\n"
         "store.url: \"y\" names no store: write sqlite://<folder>, such as sqlite:///var/lib/aulm-gateway or "
         "sqlite://./data, or nats://host:4222,host:4222\n"
         "AULM_API_KEY: begins with neither alm_sk_live_ nor alm_sk_test_: copy the whole key from aulm's dashboard\n"
         "log.level: \"z\" is no level: write trace, debug, info, warn or error"},
};

class BadSettingsTest : public testing::TestWithParam<BadSettings> {
 protected:
  BadSettingsTest() {
    folder_.Write("key", "alm_sk_live_canary\n");
    folder_.Write("secrets", "one\ntwo\n");
    folder_.Write("secrets2", "two\n");
    folder_.Write("doubled", "canary\ncanary\n");
    folder_.Write("cert", "pem");
    folder_.Write("empty", "");
    folder_.Write("digest", std::string(64, 'a'));
    folder_.Write("digest2", std::string(64, 'b'));
    folder_.Write("digests", std::string(64, 'c') + "\n" + std::string(64, 'A') + "\n");
    folder_.Write("notes", "canary: call Bob");
  }

  std::string Place(const std::string& text) const { return absl::StrReplaceAll(text, {{"$D", folder_.path()}}); }

  // What is said about the configuration of the test, with $D for the folder.
  std::string Problems() {
    std::optional<std::filesystem::path> file;
    if (!GetParam().file.empty()) file = folder_.Write("c.json", Place(GetParam().file));
    Environment environment = {{"AULM_API_KEY", "alm_sk_test_abc"}, {"AULM_WEBHOOK_SECRET", "abc"}};
    // Accounts of the file stand alone, so that their problems do.
    if (absl::StrContains(GetParam().file, "accounts")) environment.clear();
    for (const auto& [name, value] : GetParam().environment) environment[name] = Place(value);
    const auto settings = LoadSettings(file, environment);
    if (settings.ok()) return "none";
    EXPECT_EQ(settings.status().code(), absl::StatusCode::kInvalidArgument);
    return absl::StrReplaceAll(settings.status().message(), {{folder_.path(), "$D"}});
  }

  ConfigFolder folder_;
};

TEST_P(BadSettingsTest, IsRefusedInTheseWords) { EXPECT_EQ(Problems(), GetParam().problems); }

TEST_P(BadSettingsTest, NoSecretIsShown) { EXPECT_THAT(Problems(), testing::Not(testing::HasSubstr("canary"))); }

TEST_P(BadSettingsTest, EveryLineHasFieldProblemAndRemedy) {
  for (const absl::string_view line : absl::StrSplit(Problems(), '\n')) {
    EXPECT_GE(std::vector<std::string>(absl::StrSplit(line, ": ")).size(), 3u) << line;
  }
}

INSTANTIATE_TEST_SUITE_P(Table, BadSettingsTest, testing::ValuesIn(kTable));

}  // namespace
}  // namespace aulm::gateway
