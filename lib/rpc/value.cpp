#include "rpc/value.h"

#include <limits>

namespace mendfs::rpc {
namespace {

/// The size of the UTF-8 sequence that begins with `first`, 0 if none does; `least` is the smallest code point that
/// may be written with that size.
std::size_t sequence_size(unsigned char first, std::uint32_t& least) {
  if (first < 0x80) return least = 0, 1;
  if ((first & 0xe0) == 0xc0) return least = 0x80, 2;
  if ((first & 0xf0) == 0xe0) return least = 0x800, 3;
  if ((first & 0xf8) == 0xf0) return least = 0x10000, 4;
  return 0;
}

bool is_clean(std::uint32_t code_point) {
  const bool is_control = (code_point < 0x20 && code_point != '\n' && code_point != '\t') || code_point == 0x7f;
  const bool is_surrogate = code_point >= 0xd800 && code_point <= 0xdfff;
  const bool is_no_character = code_point == 0xfffe || code_point == 0xffff || code_point > 0x10ffff;
  return !is_control && !is_surrogate && !is_no_character;
}

}  // namespace

Value::Value(std::uint64_t number) : any_(std::int64_t{0}) {
  if (number > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
    any_ = std::to_string(number);
  } else {
    any_ = static_cast<std::int64_t>(number);
  }
}

bool is_clean_text(std::string_view text) {
  while (!text.empty()) {
    std::uint32_t least = 0;
    const std::size_t size = sequence_size(static_cast<unsigned char>(text.front()), least);
    if (size == 0 || size > text.size()) return false;
    std::uint32_t code_point = static_cast<unsigned char>(text.front());
    if (size > 1) code_point &= 0x7fu >> size;
    for (const char next : text.substr(1, size - 1)) {
      const auto byte = static_cast<unsigned char>(next);
      if ((byte & 0xc0) != 0x80) return false;
      code_point = code_point << 6 | (byte & 0x3fu);
    }
    if (code_point < least || !is_clean(code_point)) return false;
    text.remove_prefix(size);
  }
  return true;
}

}  // namespace mendfs::rpc
