#pragma once

#include <grpcpp/grpcpp.h>

#include <functional>
#include <map>
#include <string>

namespace aulm::gateway {

// One call of each method of the contract. `target` is the session that it is about, or the account of GetQuota; empty
// where the request names none. A stream that starts counts as OK and is ended.
using ContractCall =
    std::function<grpc::Status(const std::shared_ptr<grpc::Channel>&, grpc::ClientContext&, const std::string& target)>;

// By the method's bare name; and "Health".
const std::map<std::string, ContractCall>& ContractCalls();

}  // namespace aulm::gateway
