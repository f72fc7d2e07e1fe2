#pragma once

#include "absl/status/status.h"
#include "google/protobuf/message.h"
#include "grpcpp/support/byte_buffer.h"

namespace aulm::gateway {

// Reads the request of a raw method, one whose request comes as bytes. (Where the method is not raw, gRPC 1.51 answers
// a request that it cannot read by UNIMPLEMENTED, without a word.) Errors: INVALID_ARGUMENT, reason INVALID_FIELD,
// naming each string that is not UTF-8, or else saying that the bytes are no such message; CALL_CANCELLED where the
// call ended before its request was here. The request is empty then.
absl::Status ReadRequest(const grpc::ByteBuffer& bytes, google::protobuf::Message& request);

// A request that was read, and how that went.
template <typename Request>
class RawRequest {
 public:
  explicit RawRequest(const grpc::ByteBuffer& bytes) : status_(ReadRequest(bytes, request_)) {}

  // For UnaryCall::Admit.
  const absl::Status& status() const { return status_; }

  // Empty where the status is an error.
  const Request& operator*() const { return request_; }
  const Request* operator->() const { return &request_; }

 private:
  Request request_;
  const absl::Status status_;
};

}  // namespace aulm::gateway
