// Calling a server's methods. Loop thread only.
#pragma once

#include <string>
#include <vector>

#include "base/error.h"
#include "env/network.h"
#include "env/task.h"
#include "rpc/value.h"

namespace mendfs::rpc {

constexpr const char* kTarget = "/RPC2";

/// One call, one attempt. Errors: those of Network::post, and the server's faults with their codes.
Task<Result<Value>> call(Network& network, Address server, std::string method, std::vector<Value> parameters,
                         Time deadline);
/// A method of one base64 parameter and a base64 result.
Task<Result<std::string>> call_packed(Network& network, Address server, std::string method, std::string packed,
                                      Time deadline);

}  // namespace mendfs::rpc
