// Who, with which credentials, may call what, about which account and session: each row is one call over gRPC to a
// gateway with two accounts.
#include <gmock/gmock.h>

#include <algorithm>
#include <ostream>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "tests/integration/callers/callers_fixture.h"
#include "tests/integration/callers/contract_calls.h"

namespace aulm::gateway {
namespace {

using enum grpc::StatusCode;

// The gateways of the table.
enum class To {
  kEnvoy,    // plaintext; believes x-forwarded-client-cert from 127.0.0.1
  kLinkerd,  // plaintext; believes l5d-client-id from 127.0.0.1
  kTls,      // asks for certificates; believes x-forwarded-client-cert from elsewhere
};

struct Row {
  To to;
  // What the call comes with, one or more of these with a blank between: "token:NAME", the token of that caller;
  // "authorization:TEXT" as it is ('_' for a blank); "cert:NAMES", a certificate of the authority with those subject
  // alternative names ('+' between them); "xfcc:TEXT", "l5d:TEXT", the header. Empty: nothing.
  std::string with;
  std::string call;
  std::string target;
  grpc::StatusCode code;
  std::string reason;
  // The permission that is missing and what it lacks, "session_ids 0000…"; of UNAUTHENTICATED the kind of credentials.
  std::string detail;
};

void PrintTo(const Row& row, std::ostream* out) { *out << row.with << " " << row.call << " " << row.target; }

constexpr char kUnknown[] = "CALLER_UNKNOWN";
constexpr char kDenied[] = "CALLER_NOT_ALLOWED";

const Row kTable[] = {
    // Nobody in particular.
    {To::kEnvoy, "", "Health", "", OK, "", ""},
    {To::kTls, "", "Health", "", OK, "", ""},
    {To::kEnvoy, "", "SendText", kSession, UNAUTHENTICATED, kUnknown, "none"},
    {To::kEnvoy, "", "SubscribeEvents", "", UNAUTHENTICATED, kUnknown, "none"},
    {To::kTls, "", "ReadEvents", "", UNAUTHENTICATED, kUnknown, "none"},

    // Tokens.
    {To::kEnvoy, "token:all", "SendText", kSession, OK, "", ""},
    {To::kEnvoy, "token:all", "SendImage", kSession, OK, "", ""},
    {To::kTls, "token:all", "SendText", kSecondSession, OK, "", ""},
    {To::kEnvoy, "token:all-next", "SendText", kSession, OK, "", ""},
    {To::kEnvoy, "authorization:bearer_token-of-all", "ReadEvents", "", OK, "", ""},
    {To::kEnvoy, "authorization:Bearer_token-of-al", "ReadEvents", "", UNAUTHENTICATED, kUnknown, "token"},
    {To::kEnvoy, "authorization:Bearer_token-of-alll", "ReadEvents", "", UNAUTHENTICATED, kUnknown, "token"},
    {To::kEnvoy, "authorization:Bearer_TOKEN-OF-ALL", "ReadEvents", "", UNAUTHENTICATED, kUnknown, "token"},
    {To::kEnvoy, "authorization:Bearer_", "ReadEvents", "", UNAUTHENTICATED, kUnknown, "token"},
    {To::kEnvoy, "authorization:token-of-all", "ReadEvents", "", UNAUTHENTICATED, kUnknown, "token"},
    {To::kEnvoy, "authorization:Basic_dG9rZW4=", "ReadEvents", "", UNAUTHENTICATED, kUnknown, "token"},
    {To::kEnvoy, "token:all token:all", "ReadEvents", "", UNAUTHENTICATED, kUnknown, "token"},
    {To::kEnvoy, "token:nobody", "Health", "", OK, "", ""},
    // The digest is no token.
    {To::kEnvoy, "authorization:Bearer_" + Sha256Hex("token-of-all"), "ReadEvents", "", UNAUTHENTICATED, kUnknown,
     "token"},

    // Methods.
    {To::kEnvoy, "token:shop", "SendText", kSession, OK, "", ""},
    {To::kEnvoy, "token:shop", "SendImage", kSession, PERMISSION_DENIED, kDenied, "methods SendImage"},
    {To::kEnvoy, "token:shop", "GetQuota", "default", PERMISSION_DENIED, kDenied, "methods GetQuota"},
    {To::kEnvoy, "token:shop", "AcknowledgeEvents", "", PERMISSION_DENIED, kDenied, "methods AcknowledgeEvents"},
    {To::kEnvoy, "token:shop", "CreateSubscription", "", PERMISSION_DENIED, kDenied, "methods CreateSubscription"},
    {To::kEnvoy, "token:reader", "SendText", kSession, PERMISSION_DENIED, kDenied, "methods SendText"},
    {To::kEnvoy, "token:reader", "SubscribeEvents", "", OK, "", ""},
    {To::kEnvoy, "token:reader", "ReadEvents", kSecondSession, OK, "", ""},
    {To::kEnvoy, "token:reader", "GetQuota", "second", OK, "", ""},
    {To::kEnvoy, "token:mute", "SubscribeEvents", "", PERMISSION_DENIED, kDenied, "methods SubscribeEvents"},
    // What is not allowed is said before what is wrong with the request.
    {To::kEnvoy, "token:reader", "SendText", "", PERMISSION_DENIED, kDenied, "methods SendText"},
    {To::kEnvoy, "", "SendText", "", UNAUTHENTICATED, kUnknown, "none"},
    {To::kEnvoy, "token:shop", "SendText", "", INVALID_ARGUMENT, "INVALID_FIELD", ""},

    // Sessions.
    {To::kEnvoy, "token:shop", "SendText", kOtherSession, PERMISSION_DENIED, kDenied,
     std::string("session_ids ") + kOtherSession},
    {To::kEnvoy, "token:shop", "GetSessionStatus", kSession, OK, "", ""},
    {To::kEnvoy, "token:shop", "GetSessionStatus", kOtherSession, PERMISSION_DENIED, kDenied,
     std::string("session_ids ") + kOtherSession},
    {To::kEnvoy, "token:shop", "GetMessage", kSession, NOT_FOUND, "MESSAGE_NOT_FOUND", ""},
    {To::kEnvoy, "token:shop", "GetMessage", "", NOT_FOUND, "MESSAGE_NOT_FOUND", ""},
    {To::kEnvoy, "token:shop", "GetMessage", kOtherSession, PERMISSION_DENIED, kDenied,
     std::string("session_ids ") + kOtherSession},
    {To::kEnvoy, "token:shop", "SubscribeEvents", "", OK, "", ""},
    {To::kEnvoy, "token:shop", "SubscribeEvents", kSession, OK, "", ""},
    {To::kEnvoy, "token:shop", "SubscribeEvents", kOtherSession, PERMISSION_DENIED, kDenied,
     std::string("session_ids ") + kOtherSession},
    {To::kEnvoy, "token:shop", "ReadEvents", kOtherSession, PERMISSION_DENIED, kDenied,
     std::string("session_ids ") + kOtherSession},
    {To::kEnvoy, "token:nothing", "SubscribeEvents", "", PERMISSION_DENIED, kDenied, "accounts *"},
    {To::kEnvoy, "token:nothing", "SendText", kSession, PERMISSION_DENIED, kDenied,
     std::string("session_ids ") + kSession},
    {To::kEnvoy, "token:nothing", "GetQuota", "default", PERMISSION_DENIED, kDenied, "accounts default"},

    // Accounts.
    {To::kEnvoy, "token:second", "SendText", kSecondSession, OK, "", ""},
    {To::kEnvoy, "token:second", "SendText", kSession, PERMISSION_DENIED, kDenied, "accounts default"},
    {To::kEnvoy, "token:second", "SendImage", kSession, PERMISSION_DENIED, kDenied, "accounts default"},
    {To::kEnvoy, "token:second", "GetMessage", kSession, PERMISSION_DENIED, kDenied, "accounts default"},
    {To::kEnvoy, "token:second", "GetSessionStatus", kSession, PERMISSION_DENIED, kDenied, "accounts default"},
    {To::kEnvoy, "token:second", "GetQuota", "second", OK, "", ""},
    {To::kEnvoy, "token:second", "GetQuota", "", PERMISSION_DENIED, kDenied, "accounts default"},
    // Whether an account exists is nobody's business who may not use it.
    {To::kEnvoy, "token:second", "GetQuota", "nowhere", PERMISSION_DENIED, kDenied, "accounts nowhere"},
    {To::kEnvoy, "token:all", "GetQuota", "nowhere", NOT_FOUND, "ACCOUNT_NOT_FOUND", ""},
    {To::kEnvoy, "token:second", "SendText", kNobodysSession, INVALID_ARGUMENT, "INVALID_FIELD", ""},
    {To::kEnvoy, "token:all", "SendText", kNobodysSession, INVALID_ARGUMENT, "INVALID_FIELD", ""},

    // Certificates.
    {To::kTls, "cert:URI:spiffe://test/orders", "SendText", kSession, OK, "", ""},
    {To::kTls, "cert:URI:spiffe://test/orders", "SendText", kOtherSession, PERMISSION_DENIED, kDenied,
     std::string("session_ids ") + kOtherSession},
    {To::kTls, "cert:URI:spiffe://test/orders+DNS:stock.example", "GetQuota", "default", PERMISSION_DENIED, kDenied,
     "methods GetQuota"},
    {To::kTls, "cert:URI:spiffe://test/orders+URI:spiffe://test/other", "SendText", kSession, UNAUTHENTICATED, kUnknown,
     "certificate"},
    {To::kTls, "cert:URI:spiffe://test/orders+URI:https://test+DNS:stock.example", "ReadEvents", "", UNAUTHENTICATED,
     kUnknown, "certificate"},
    {To::kTls, "cert:URI:spiffe://test/orders/more", "SendText", kSession, UNAUTHENTICATED, kUnknown, "certificate"},
    {To::kTls, "cert:DNS:stock.example", "ReadEvents", "", OK, "", ""},
    {To::kTls, "cert:DNS:STOCK.Example", "ReadEvents", "", OK, "", ""},
    {To::kTls, "cert:DNS:www.example+DNS:stock.example", "ReadEvents", "", OK, "", ""},
    {To::kTls, "cert:DNS:www.stock.example", "ReadEvents", "", UNAUTHENTICATED, kUnknown, "certificate"},
    {To::kTls, "cert:DNS:*.example", "ReadEvents", "", UNAUTHENTICATED, kUnknown, "certificate"},
    {To::kTls, "cert:DNS:stock.example+DNS:till.example", "ReadEvents", "", UNAUTHENTICATED, kUnknown, "certificate"},
    {To::kTls, "cert:email:a@stock.example", "ReadEvents", "", UNAUTHENTICATED, kUnknown, "none"},
    {To::kTls, "cert:IP:127.0.0.1", "ReadEvents", "", UNAUTHENTICATED, kUnknown, "none"},
    // A token decides alone, whatever stands beside it.
    {To::kTls, "cert:DNS:stock.example token:shop", "GetSessionStatus", kSession, OK, "", ""},
    {To::kTls, "cert:DNS:stock.example token:shop", "SendImage", kSession, PERMISSION_DENIED, kDenied,
     "methods SendImage"},
    {To::kTls, "cert:DNS:stock.example token:nobody", "ReadEvents", "", UNAUTHENTICATED, kUnknown, "token"},
    // A header from an address that is not named is nothing.
    {To::kTls, "xfcc:URI=spiffe://test/orders", "SendText", kSession, UNAUTHENTICATED, kUnknown, "none"},
    {To::kTls, "cert:DNS:stock.example xfcc:URI=spiffe://test/orders", "SendText", kSession, PERMISSION_DENIED, kDenied,
     "methods SendText"},

    // A header that is believed.
    {To::kEnvoy, "xfcc:By=x;Hash=ab;URI=spiffe://test/orders", "SendText", kSession, OK, "", ""},
    {To::kEnvoy, "xfcc:By=x;Hash=ab;URI=spiffe://test/orders", "SendText", kOtherSession, PERMISSION_DENIED, kDenied,
     std::string("session_ids ") + kOtherSession},
    {To::kEnvoy, "xfcc:DNS=stock.example", "ReadEvents", "", OK, "", ""},
    {To::kEnvoy, "xfcc:URI=spiffe://test/orders,URI=spiffe://test/other", "SendText", kSession, UNAUTHENTICATED,
     kUnknown, "header"},
    {To::kEnvoy, "xfcc:URI=spiffe://test/other,URI=spiffe://test/orders", "SendText", kSession, OK, "", ""},
    {To::kEnvoy, "xfcc:URI=spiffe://test/orders;URI=spiffe://test/other", "SendText", kSession, UNAUTHENTICATED,
     kUnknown, "header"},
    {To::kEnvoy, "xfcc:URI=spiffe://test/orders xfcc:URI=spiffe://test/orders", "SendText", kSession, UNAUTHENTICATED,
     kUnknown, "header"},
    {To::kEnvoy, "xfcc:Hash=ab", "SendText", kSession, UNAUTHENTICATED, kUnknown, "header"},
    {To::kEnvoy, "l5d:stock.example", "ReadEvents", "", UNAUTHENTICATED, kUnknown, "none"},
    {To::kLinkerd, "l5d:stock.example", "ReadEvents", "", OK, "", ""},
    {To::kLinkerd, "l5d:Stock.Example", "ReadEvents", "", OK, "", ""},
    {To::kLinkerd, "l5d:spiffe://test/orders", "SendText", kSession, OK, "", ""},
    {To::kLinkerd, "l5d:stock.example,till.example", "ReadEvents", "", UNAUTHENTICATED, kUnknown, "header"},
    {To::kLinkerd, "l5d:other.example", "ReadEvents", "", UNAUTHENTICATED, kUnknown, "header"},
    {To::kLinkerd, "xfcc:URI=spiffe://test/orders", "SendText", kSession, UNAUTHENTICATED, kUnknown, "none"},
    {To::kLinkerd, "l5d:stock.example token:shop", "SendText", kSession, OK, "", ""},
};

class CallersTableTest : public testing::TestWithParam<Row> {
 protected:
  struct World {
    TwoAccounts accounts;
    std::map<To, GatewayProcess> gateways;
  };

  static void SetUpTestSuite() {
    world_ = new World();
    TwoAccounts& accounts = world_->accounts;
    for (const std::string name : {"shop", "second", "reader", "nothing", "mute"}) {
      accounts.WriteToken(name, absl::StrCat("token-of-", name));
    }
    accounts.Write("all", absl::StrCat(Sha256Hex("token-of-all"), "\n", Sha256Hex("token-of-all-next"), "\n"));
    accounts.WriteCertificate("server", accounts.authority().Issue("IP:127.0.0.1"));
    accounts.Write("ca", accounts.authority().certificate());
    const std::string callers = absl::StrReplaceAll(R"("callers": [
        {"name": "all", "token_sha256_file": "$D/all", "methods": ["*"], "accounts": ["*"], "session_ids": ["*"]},
        {"name": "shop", "token_sha256_file": "$D/shop", "accounts": ["default"], "session_ids": ["$S"],
         "methods": ["SendText", "GetMessage", "GetSessionStatus", "SubscribeEvents", "ReadEvents"]},
        {"name": "second", "token_sha256_file": "$D/second", "methods": ["*"], "accounts": ["second"],
         "session_ids": ["*"]},
        {"name": "reader", "token_sha256_file": "$D/reader", "methods": ["ReadEvents", "SubscribeEvents", "GetQuota"],
         "accounts": ["*"], "session_ids": ["*"]},
        {"name": "nothing", "token_sha256_file": "$D/nothing", "methods": ["*"]},
        {"name": "mute", "token_sha256_file": "$D/mute", "accounts": ["*"], "session_ids": ["*"]},
        {"name": "orders", "spiffe_id": "spiffe://test/orders", "methods": ["SendText"], "accounts": ["*"],
         "session_ids": ["$S"]},
        {"name": "stock", "dns_name": "stock.example", "methods": ["ReadEvents"], "accounts": ["*"],
         "session_ids": ["*"]},
        {"name": "till", "dns_name": "till.example", "methods": ["ReadEvents"], "accounts": ["*"],
         "session_ids": ["*"]}])",
                                                    {{"$S", kSession}});
    const auto start = [&](To to, const std::string& name, const std::string& grpc) {
      world_->gateways.emplace(
          to, accounts.StartGateway(name, absl::StrCat(R"("listeners": {"grpc": {)", grpc, "}}, ", callers)));
    };
    start(To::kEnvoy, "envoy",
          R"("trusted_identity_header": {"name": "x-forwarded-client-cert", "from_addresses": ["127.0.0.1"]})");
    start(To::kLinkerd, "linkerd",
          R"("trusted_identity_header": {"name": "l5d-client-id", "from_addresses": ["127.0.0.0/24"]})");
    start(To::kTls, "tls",
          R"("tls": {"certificate_file": "$D/server.crt", "key_file": "$D/server.key", "client_ca_file": "$D/ca"},
             "trusted_identity_header": {"name": "x-forwarded-client-cert", "from_addresses": ["127.0.0.6"]})");
  }
  static void TearDownTestSuite() {
    delete world_;
    world_ = nullptr;
  }

  static World* world_;
};

CallersTableTest::World* CallersTableTest::world_ = nullptr;

TEST_P(CallersTableTest, IsAnswered) {
  const Row& row = GetParam();
  TestCertificatePem certificate;
  grpc::ClientContext context;
  SetLimit(context);
  for (const absl::string_view part : absl::StrSplit(row.with, ' ', absl::SkipEmpty())) {
    const std::pair<std::string, std::string> split = absl::StrSplit(part, absl::MaxSplits(':', 1));
    const auto& [kind, value] = split;
    if (kind == "token") context.AddMetadata("authorization", "Bearer token-of-" + value);
    if (kind == "authorization") context.AddMetadata("authorization", absl::StrReplaceAll(value, {{"_", " "}}));
    if (kind == "xfcc") context.AddMetadata("x-forwarded-client-cert", value);
    if (kind == "l5d") context.AddMetadata("l5d-client-id", value);
    if (kind == "cert") certificate = world_->accounts.authority().Issue(absl::StrReplaceAll(value, {{"+", ","}}));
  }
  const auto credentials = row.to == To::kTls ? world_->accounts.Tls(certificate) : grpc::InsecureChannelCredentials();
  const auto channel = Connect(world_->gateways.at(row.to).grpc_address(), credentials);

  const Answer answer = AnswerOf(ContractCalls().at(row.call)(channel, context, row.target));

  EXPECT_EQ(answer.code, row.code) << answer.message;
  EXPECT_EQ(answer.reason, row.reason);
  std::string detail;
  if (row.reason == kDenied) {
    ASSERT_TRUE(answer.metadata.contains("permission") && answer.metadata.contains("value"));
    detail = absl::StrCat(answer.metadata.at("permission"), " ", answer.metadata.at("value"));
    EXPECT_THAT(answer.message, testing::HasSubstr(answer.metadata.at("permission")));
  } else if (row.reason == kUnknown) {
    detail = answer.metadata.at("credentials");
  }
  EXPECT_EQ(detail, row.detail);
  // A refused send says that it was not made.
  if (absl::StartsWith(row.call, "Send") && (row.reason == kDenied || row.reason == kUnknown)) {
    EXPECT_EQ(answer.metadata.at("outcome"), "not_sent");
    EXPECT_TRUE(answer.metadata.contains("request_id"));
  }
}

INSTANTIATE_TEST_SUITE_P(Table, CallersTableTest, testing::ValuesIn(kTable));

// No method is forgotten: none takes a call of nobody, nor of a caller without that method.
class EveryMethodTest : public CallersTableTest {};

TEST_P(EveryMethodTest, TurnsAwayWhoeverMayNotCallIt) {
  const auto channel = Connect(world_->gateways.at(To::kEnvoy).grpc_address());
  for (const auto& [method, call] : ContractCalls()) {
    if (method == "Health") continue;
    grpc::ClientContext nobody;
    SetLimit(nobody);
    EXPECT_EQ(AnswerOf(call(channel, nobody, kSession)).reason, kUnknown) << method;
    grpc::ClientContext mute;
    SetLimit(mute);
    mute.AddMetadata("authorization", "Bearer token-of-mute");
    const Answer answer = AnswerOf(call(channel, mute, kSession));
    EXPECT_EQ(answer.reason, kDenied) << method;
    EXPECT_EQ(answer.metadata.at("value"), method);
  }
}

INSTANTIATE_TEST_SUITE_P(All, EveryMethodTest, testing::Values(Row{}));

}  // namespace
}  // namespace aulm::gateway
