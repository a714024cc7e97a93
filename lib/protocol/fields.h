// One listing of a struct's fields serves every encoding of it.
//
//   struct Point { std::uint32_t x, y; std::string name;
//                  template <class V> void fields(V& v) { v("x", x); v("y", y); v("name", name); } };
//   std::string packed = pack(point);   Result<Point> point = unpack<Point>(packed);
//
// Packed: little-endian fixed-width integers, bool as one byte, strings and vectors with a 32-bit count before them,
// std::optional with a byte before it, Digest as its 32 bytes; no names, no padding. The log, the block protocol and
// the hot XML-RPC methods use it (docs/protocol.md, "Packed values"). Unpacking trusts nothing: a count that cannot fit
// in what is left, a value outside an enum with a max, or bytes left over are Malformed. Pure; any thread.
#pragma once

#include <array>
#include <bit>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "base/error.h"
#include "block/types.h"

namespace mendfs {

class Packer {
 public:
  template <class T>
  void operator()(const char* /*name*/, const T& value) {
    put(value);
  }
  std::string take() { return std::move(out_); }

  template <class T>
  void put(const T& value) {
    if constexpr (std::is_same_v<T, bool>) {
      out_.push_back(value ? 1 : 0);
    } else if constexpr (std::is_enum_v<T>) {
      put(static_cast<std::underlying_type_t<T>>(value));
    } else if constexpr (std::is_integral_v<T>) {
      static_assert(std::endian::native == std::endian::little);
      out_.append(reinterpret_cast<const char*>(&value), sizeof value);
    } else {
      // fields() is written once, for reading and writing; packing only reads.
      const_cast<T&>(value).fields(*this);
    }
  }
  void put(const std::string& value) {
    put(static_cast<std::uint32_t>(value.size()));
    out_.append(value);
  }
  void put(const Digest& value) { out_.append(reinterpret_cast<const char*>(value.data()), value.size()); }
  template <class T>
  void put(const std::vector<T>& values) {
    put(static_cast<std::uint32_t>(values.size()));
    if constexpr (std::is_same_v<T, Digest>) {
      out_.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(Digest));
    } else {
      for (const T& value : values) put(value);
    }
  }
  template <class T>
  void put(const std::optional<T>& value) {
    put(value.has_value());
    if (value) put(*value);
  }

 private:
  std::string out_;
};

class Unpacker {
 public:
  explicit Unpacker(std::string_view in) : in_(in) {}
  template <class T>
  void operator()(const char* /*name*/, T& value) {
    get(value);
  }
  /// Everything fitted and nothing is left.
  bool finished() const { return ok_ && in_.empty(); }
  bool ok() const { return ok_; }
  std::string_view rest() const { return in_; }

  template <class T>
  void get(T& value) {
    if constexpr (std::is_same_v<T, bool>) {
      std::uint8_t byte = 0;
      get(byte);
      if (byte > 1) ok_ = false;
      value = byte != 0;
    } else if constexpr (std::is_enum_v<T>) {
      std::underlying_type_t<T> number{};
      get(number);
      value = static_cast<T>(number);
      // An enum that travels declares its greatest value as kMax.
      if constexpr (requires { T::kMax; }) {
        if (number > static_cast<std::underlying_type_t<T>>(T::kMax)) ok_ = false;
      }
    } else if constexpr (std::is_integral_v<T>) {
      if (!take(&value, sizeof value)) value = 0;
    } else {
      value.fields(*this);
    }
  }
  void get(std::string& value) {
    std::uint32_t size = 0;
    get(size);
    if (!ok_ || size > in_.size()) {
      ok_ = false;
      return;
    }
    value.assign(in_.substr(0, size));
    in_.remove_prefix(size);
  }
  void get(Digest& value) { (void)take(value.data(), value.size()); }
  template <class T>
  void get(std::vector<T>& values) {
    std::uint32_t count = 0;
    get(count);
    values.clear();
    if constexpr (std::is_same_v<T, Digest>) {
      if (!ok_ || count > in_.size() / sizeof(Digest)) {
        ok_ = false;
        return;
      }
      values.resize(count);
      (void)take(values.data(), count * sizeof(Digest));
    } else {
      // Grows as elements arrive, never from the count: a lie takes no memory.
      for (std::uint32_t i = 0; i < count && ok_; ++i) {
        if (in_.empty()) {
          ok_ = false;
          return;
        }
        T value{};
        get(value);
        if (ok_) values.push_back(std::move(value));
      }
    }
  }
  template <class T>
  void get(std::optional<T>& value) {
    bool present = false;
    get(present);
    value.reset();
    if (ok_ && present) {
      value.emplace();
      get(*value);
    }
  }

 private:
  bool take(void* target, std::size_t size) {
    if (!ok_ || size > in_.size()) {
      ok_ = false;
      return false;
    }
    if (size > 0) std::memcpy(target, in_.data(), size);
    in_.remove_prefix(size);
    return true;
  }
  std::string_view in_;
  bool ok_ = true;
};

template <class T>
std::string pack(const T& value) {
  Packer packer;
  packer.put(value);
  return packer.take();
}

template <class T>
Result<T> unpack(std::string_view bytes) {
  T value{};
  Unpacker unpacker(bytes);
  unpacker.get(value);
  if (!unpacker.finished()) return Error{ErrorCode::Malformed, "a packed value is cut short, too long or impossible"};
  return value;
}

}  // namespace mendfs
