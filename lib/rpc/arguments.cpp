#include "rpc/arguments.h"

#include <fmt/core.h>

#include <charconv>

namespace mendfs::rpc {
namespace {

Error wrong(std::size_t index, const char* name, const char* wanted) {
  return {ErrorCode::InvalidArgument, fmt::format("parameter {} ({}) must be {}", index + 1, name, wanted)};
}

constexpr const char* kInteger = "a whole number from 0 to 18446744073709551615, as an int or a decimal string";

}  // namespace

Result<std::uint64_t> as_integer(const std::vector<Value>& parameters, std::size_t index, const char* name) {
  if (index >= parameters.size()) return wrong(index, name, kInteger);
  if (const auto* number = parameters[index].get<std::int64_t>()) {
    if (*number < 0) return wrong(index, name, kInteger);
    return static_cast<std::uint64_t>(*number);
  }
  const auto* text = parameters[index].get<std::string>();
  if (text == nullptr) return wrong(index, name, kInteger);
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
  if (error != std::errc{} || end != text->data() + text->size()) return wrong(index, name, kInteger);
  return number;
}

Result<std::string> as_text(const std::vector<Value>& parameters, std::size_t index, const char* name) {
  if (index < parameters.size()) {
    if (const auto* text = parameters[index].get<std::string>()) return *text;
    if (const auto* bytes = parameters[index].get<Bytes>()) return bytes->bytes;
  }
  return wrong(index, name, "a string or base64");
}

Result<bool> as_bool(const std::vector<Value>& parameters, std::size_t index, const char* name) {
  if (index < parameters.size()) {
    if (const auto* flag = parameters[index].get<bool>()) return *flag;
  }
  return wrong(index, name, "a boolean");
}

Value text_or_bytes(const std::string& bytes) {
  if (is_clean_text(bytes)) return Value(bytes);
  return Value(Bytes{bytes});
}

}  // namespace mendfs::rpc
