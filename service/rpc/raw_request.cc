#include "service/rpc/raw_request.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/unknown_field_set.h"
#include "grpcpp/impl/codegen/proto_utils.h"
#include "service/base/status_details.h"
#include "service/base/text.h"

namespace aulm::gateway {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::UnknownField;
using google::protobuf::UnknownFieldSet;

// No request without an image is as long, and the search takes a multiple of it in memory.
constexpr size_t kLongestSearched = 65'536;

// The strings of these fields that are not UTF-8; `path` stands before their names. Nothing where the bytes are broken.
void FindBadStrings(const std::string& bytes, const Descriptor& message, const std::string& path,
                    FieldViolations& bad) {
  UnknownFieldSet fields;
  if (!fields.ParseFromString(bytes)) return;
  for (int i = 0; i < fields.field_count(); ++i) {
    const UnknownField& field = fields.field(i);
    const FieldDescriptor* const known = message.FindFieldByNumber(field.number());
    if (known == nullptr || field.type() != UnknownField::TYPE_LENGTH_DELIMITED) continue;
    const std::string name = absl::StrCat(path, known->name());
    if (known->type() == FieldDescriptor::TYPE_MESSAGE) {
      FindBadStrings(field.length_delimited(), *known->message_type(), absl::StrCat(name, "."), bad);
    } else if (known->type() == FieldDescriptor::TYPE_STRING &&
               RepairUtf8(field.length_delimited()) != field.length_delimited()) {
      bad.Add(name, "must be UTF-8");
    }
  }
}

}  // namespace

absl::Status ReadRequest(const grpc::ByteBuffer& bytes, Message& request) {
  if (!bytes.Valid()) return GatewayError(GatewayReason::kCallCancelled, "the call ended before its request was here");
  grpc::ByteBuffer consumed = bytes;
  if (grpc::GenericDeserialize<grpc::ProtoBufferReader, Message>(&consumed, &request).ok()) return absl::OkStatus();
  FieldViolations bad;
  std::vector<grpc::Slice> slices;
  if (bytes.Length() <= kLongestSearched && bytes.Dump(&slices).ok()) {
    std::string text;
    for (const grpc::Slice& slice : slices) text.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
    FindBadStrings(text, *request.GetDescriptor(), "", bad);
  }
  request.Clear();
  if (!bad.empty()) return bad.ToStatus();
  return ErrorWithInfo(
      absl::StatusCode::kInvalidArgument, kGatewayDomain, ReasonName(GatewayReason::kInvalidField),
      absl::StrCat("the request is no ", request.GetDescriptor()->name(), ", or one of its strings is not UTF-8"));
}

}  // namespace aulm::gateway
