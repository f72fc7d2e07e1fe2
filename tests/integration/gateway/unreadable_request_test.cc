// Requests whose bytes are no message, of every method of the contract: gRPC's own answer would be UNIMPLEMENTED
// without a word.
#include <google/protobuf/descriptor.h>
#include <gtest/gtest.h>

#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "aulm/gateway/v1/quota_service.pb.h"
#include "aulm/gateway/v1/subscription_service.pb.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "tests/integration/gateway/gateway_fixture.h"
#include "tests/support/raw_call.h"

namespace aulm::gateway {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::MethodDescriptor;
using google::protobuf::ServiceDescriptor;

std::vector<const MethodDescriptor*> EveryMethod() {
  std::vector<const MethodDescriptor*> methods;
  for (const Descriptor* const any :
       {v1::SendTextRequest::descriptor(), v1::GetSessionStatusRequest::descriptor(), v1::GetQuotaRequest::descriptor(),
        v1::ReadEventsRequest::descriptor(), v1::GetSubscriptionRequest::descriptor()}) {
    const ServiceDescriptor& service = *any->file()->service(0);
    for (int i = 0; i < service.method_count(); ++i) methods.push_back(service.method(i));
  }
  return methods;
}

std::string PathOf(const MethodDescriptor& method) {
  return absl::StrCat("/", method.service()->full_name(), "/", method.name());
}

// A message with the first string of its type, which is not UTF-8, and nothing else.
struct BadString {
  std::string field;
  std::string bytes;
};

std::string Delimited(const FieldDescriptor& field, const std::string& content) {
  return absl::StrCat(std::string(1, static_cast<char>(field.number() << 3 | 2)),
                      std::string(1, static_cast<char>(content.size())), content);
}

std::optional<BadString> FirstBadString(const Descriptor& type) {
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor& field = *type.field(i);
    if (field.type() == FieldDescriptor::TYPE_STRING) return BadString{field.name(), Delimited(field, "a\xff")};
    if (field.type() != FieldDescriptor::TYPE_MESSAGE) continue;
    if (const auto inner = FirstBadString(*field.message_type()); inner.has_value()) {
      return BadString{absl::StrCat(field.name(), ".", inner->field), Delimited(field, inner->bytes)};
    }
  }
  return std::nullopt;
}

// "INVALID_FIELD name" for an error whose BadRequest names one field; "INVALID_FIELD" for one without.
std::string DetailsOf(const grpc::Status& status) {
  google::rpc::Status details;
  EXPECT_TRUE(details.ParseFromString(status.error_details()));
  std::string told;
  for (const google::protobuf::Any& any : details.details()) {
    google::rpc::ErrorInfo info;
    if (any.UnpackTo(&info)) absl::StrAppend(&told, info.reason());
    google::rpc::BadRequest bad;
    if (any.UnpackTo(&bad)) absl::StrAppend(&told, " ", bad.field_violations(0).field());
  }
  return told;
}

class UnreadableRequestTest : public GatewayTest {
 protected:
  grpc::Status Call(const MethodDescriptor& method, const std::string& bytes) {
    grpc::ClientContext context;
    SetLimit(context);
    return CallWithBytes(channel_, PathOf(method), bytes, context);
  }
};

TEST_F(UnreadableRequestTest, NamesTheStringThatIsNotUtf8) {
  StartGateway();
  for (const MethodDescriptor* const method : EveryMethod()) {
    SCOPED_TRACE(method->full_name());
    const std::optional<BadString> bad = FirstBadString(*method->input_type());
    ASSERT_TRUE(bad.has_value());
    const grpc::Status status = Call(*method, bad->bytes);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    EXPECT_EQ(status.error_message(), absl::StrCat(bad->field, ": must be UTF-8"));
    EXPECT_EQ(DetailsOf(status), absl::StrCat("INVALID_FIELD ", bad->field));
  }
}

TEST_F(UnreadableRequestTest, IsToldWhatItShouldHaveBeen) {
  StartGateway();
  for (const MethodDescriptor* const method : EveryMethod()) {
    SCOPED_TRACE(method->full_name());
    const grpc::Status status = Call(*method, "\x0a\x7f");  // a field that is longer than the message
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    EXPECT_EQ(status.error_message(),
              absl::StrCat("the request is no ", method->input_type()->name(), ", or one of its strings is not UTF-8"));
    EXPECT_EQ(DetailsOf(status), "INVALID_FIELD");
  }
}

TEST_F(UnreadableRequestTest, IsTheSecondThingThatAStrangerHears) {
  const std::string config = absl::StrCat(folder_, "/callers.json");
  const std::string token = absl::StrCat(folder_, "/token");
  std::ofstream(token) << std::string(64, 'a');
  std::ofstream(config) << R"({"callers": [{"name": "known", "token_sha256_file": ")" << token << R"("}]})";
  options_.environment["GATEWAY_CONFIG"] = config;
  StartGateway();
  for (const MethodDescriptor* const method : EveryMethod()) {
    SCOPED_TRACE(method->full_name());
    const grpc::Status status = Call(*method, "\x0a\x7f");
    EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAUTHENTICATED);
    EXPECT_EQ(DetailsOf(status), "CALLER_UNKNOWN");
  }
}

}  // namespace
}  // namespace aulm::gateway
