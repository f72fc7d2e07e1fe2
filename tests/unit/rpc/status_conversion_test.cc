#include "service/rpc/status_conversion.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "service/base/status_details.h"

namespace aulm::gateway {
namespace {

TEST(StatusConversionTest, OkStaysOkWithoutDetails) {
  const grpc::Status converted = ToGrpcStatus(absl::OkStatus());

  EXPECT_TRUE(converted.ok());
  EXPECT_EQ(converted.error_details(), "");
}

TEST(StatusConversionTest, CodeAndMessageStandInBothPlaces) {
  const absl::Status status = GatewayError(GatewayReason::kDraining, "the gateway is stopping");

  const grpc::Status converted = ToGrpcStatus(status);

  google::rpc::Status details;
  ASSERT_TRUE(details.ParseFromString(converted.error_details()));
  EXPECT_EQ(converted.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(details.code(), static_cast<int>(grpc::StatusCode::UNAVAILABLE));
  EXPECT_EQ(converted.error_message(), "the gateway is stopping");
  EXPECT_EQ(details.message(), "the gateway is stopping");
}

TEST(StatusConversionTest, ErrorInfoComesFirstWhateverTheOrderOfAdding) {
  absl::Status status = GatewayError(GatewayReason::kPaced, "wait", {{"outcome", "not_sent"}});
  SetBadField(status, "a", "b");
  SetRetryDelay(status, absl::Seconds(2));

  google::rpc::Status details;
  ASSERT_TRUE(details.ParseFromString(ToGrpcStatus(status).error_details()));

  ASSERT_EQ(details.details_size(), 3);
  EXPECT_EQ(details.details(0).type_url(), "type.googleapis.com/google.rpc.ErrorInfo");
  EXPECT_EQ(details.details(1).type_url(), "type.googleapis.com/google.rpc.BadRequest");
  EXPECT_EQ(details.details(2).type_url(), "type.googleapis.com/google.rpc.RetryInfo");
  google::rpc::ErrorInfo info;
  ASSERT_TRUE(details.details(0).UnpackTo(&info));
  EXPECT_EQ(info.reason(), "PACED");
  EXPECT_EQ(info.metadata().at("outcome"), "not_sent");
}

}  // namespace
}  // namespace aulm::gateway
