// Reading the parameters of methods that people call: each reader says which parameter is wrong and how. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/error.h"
#include "rpc/value.h"

namespace mendfs::rpc {

/// An int, or a decimal string for what does not fit 32 bits. InvalidArgument when negative, too large or no number.
Result<std::uint64_t> as_integer(const std::vector<Value>& parameters, std::size_t index, const char* name);
/// A string or base64.
Result<std::string> as_text(const std::vector<Value>& parameters, std::size_t index, const char* name);
Result<bool> as_bool(const std::vector<Value>& parameters, std::size_t index, const char* name);
/// A value for bytes that may not be UTF-8: a string when they are clean text, else base64.
Value text_or_bytes(const std::string& bytes);

}  // namespace mendfs::rpc
