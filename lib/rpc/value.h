// An XML-RPC value, without the library's types. Pure; any thread.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace mendfs::rpc {

class Value;
using Array = std::vector<Value>;
using Struct = std::map<std::string, Value>;

/// Arbitrary bytes: travel as base64.
struct Bytes {
  std::string bytes;
  bool operator==(const Bytes&) const = default;
};

/// Text that XML carries unchanged: valid UTF-8 without control characters but tab and newline.
bool is_clean_text(std::string_view text);

class Value {
 public:
  /// Integers outside 32 bits travel as decimal strings, since XML-RPC's <i4> ends there; whoever reads an integer
  /// takes both forms (as_integer in rpc/arguments.h).
  using Any = std::variant<std::int64_t, bool, double, std::string, Bytes, Array, Struct>;

  Value() : any_(std::int64_t{0}) {}
  Value(std::int64_t number) : any_(number) {}
  Value(std::uint64_t number);  // above INT64_MAX: a decimal string
  Value(int number) : any_(std::int64_t{number}) {}
  Value(std::uint32_t number) : any_(std::int64_t{number}) {}
  Value(bool flag) : any_(flag) {}
  Value(double number) : any_(number) {}
  Value(std::string text) : any_(std::move(text)) {}  // travels as base64 unless is_clean_text()
  Value(const char* text) : any_(std::string(text)) {}
  Value(Bytes bytes) : any_(std::move(bytes)) {}
  Value(Array array) : any_(std::move(array)) {}
  Value(Struct members) : any_(std::move(members)) {}

  const Any& any() const { return any_; }
  Any& any() { return any_; }
  template <class T>
  const T* get() const {
    return std::get_if<T>(&any_);
  }
  bool operator==(const Value&) const = default;

 private:
  Any any_;
};

}  // namespace mendfs::rpc
