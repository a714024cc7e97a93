// XML-RPC calls and replies as text. xmlrpc-c parses and writes (but for packed_form.h); its types stay in xml.cpp.
// Pure; any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "rpc/value.h"

namespace mendfs::rpc {

struct Call {
  std::string method;
  std::vector<Value> parameters;
};

std::string write_call(const Call& call);
/// Malformed for whatever is not a call: bad XML, wrong structure, nesting or size beyond the limits.
Result<Call> parse_call(std::string_view xml);

std::string write_reply(const Value& value);
/// The fault code is the ErrorCode's number.
std::string write_fault(const Error& error);
/// The value, or the fault as an Error; Malformed for anything else.
Result<Value> parse_reply(std::string_view xml);

}  // namespace mendfs::rpc
