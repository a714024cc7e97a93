#include "rpc/packed_form.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace mendfs::rpc {
namespace {

constexpr std::string_view kCallBegin = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n<methodCall>\r\n<methodName>";
constexpr std::string_view kCallMiddle = "</methodName>\r\n<params>\r\n<param><value><base64>\r\n";
constexpr std::string_view kCallEnd = "</base64></value></param>\r\n</params>\r\n</methodCall>\r\n";
constexpr std::string_view kReplyBegin =
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n<methodResponse>\r\n<params>\r\n<param><value><base64>\r\n";
constexpr std::string_view kReplyEnd = "</base64></value></param>\r\n</params>\r\n</methodResponse>\r\n";

constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
/// Bytes that fill a line of 76 digits.
constexpr std::size_t kLineBytes = 57;
constexpr std::uint8_t kNoDigit = 0xff;

constexpr std::array<std::uint8_t, 256> make_digits() {
  std::array<std::uint8_t, 256> digits{};
  digits.fill(kNoDigit);
  for (std::size_t i = 0; i < kAlphabet.size(); ++i)
    digits[static_cast<unsigned char>(kAlphabet[i])] = static_cast<std::uint8_t>(i);
  return digits;
}
constexpr std::array<std::uint8_t, 256> kDigits = make_digits();

/// Lines of digits; nothing for what a strict reader and a lenient one might read differently.
std::optional<std::string> decode_base64(std::string_view lines) {
  std::string bytes(lines.size() / 4 * 3 + 3, '\0');
  char* to = bytes.data();
  std::uint32_t bits = 0;
  unsigned digit_count = 0;
  unsigned padding_count = 0;
  for (const char c : lines) {
    if (c == '\r' || c == '\n') continue;
    std::uint32_t digit = kDigits[static_cast<unsigned char>(c)];
    if (c == '=') {
      digit = 0;
      ++padding_count;
    } else if (digit == kNoDigit || padding_count > 0) {
      return std::nullopt;
    }
    bits = bits << 6 | digit;
    if (++digit_count % 4 != 0) continue;
    *to++ = static_cast<char>(bits >> 16);
    *to++ = static_cast<char>(bits >> 8);
    *to++ = static_cast<char>(bits);
    if (padding_count > 0 && (padding_count > 2 || (bits & ((1u << (8 * padding_count)) - 1)) != 0))
      return std::nullopt;
  }
  const std::size_t size = static_cast<std::size_t>(to - bytes.data());
  if (digit_count % 4 != 0 || padding_count > size) return std::nullopt;
  bytes.resize(size - padding_count);
  return bytes;
}

/// Up to three bytes as four digits.
char* put_digits(char* to, std::string_view bytes) {
  std::uint32_t bits = 0;
  for (std::size_t i = 0; i < 3; ++i) bits = bits << 8 | (i < bytes.size() ? static_cast<unsigned char>(bytes[i]) : 0u);
  for (std::size_t i = 0; i < 4; ++i) *to++ = i <= bytes.size() ? kAlphabet[bits >> (18 - 6 * i) & 63] : '=';
  return to;
}

/// Lines as xmlrpc-c makes them, each with its end; an empty one for no bytes.
std::string message_with(std::string_view before, std::string_view bytes, std::string_view after) {
  const std::size_t line_count = std::max<std::size_t>(1, (bytes.size() + kLineBytes - 1) / kLineBytes);
  std::string xml;
  xml.resize(before.size() + (bytes.size() + 2) / 3 * 4 + 2 * line_count + after.size());
  char* to = std::copy(before.begin(), before.end(), xml.data());
  for (std::size_t line = 0; line < line_count; ++line) {
    std::string_view left = bytes.substr(line * kLineBytes, kLineBytes);
    for (; left.size() >= 3; left.remove_prefix(3)) to = put_digits(to, left.substr(0, 3));
    if (!left.empty()) to = put_digits(to, left);
    *to++ = '\r';
    *to++ = '\n';
  }
  std::copy(after.begin(), after.end(), to);
  return xml;
}

/// Takes `part` off the front.
bool skip(std::string_view& text, std::string_view part) {
  if (!text.starts_with(part)) return false;
  text.remove_prefix(part.size());
  return true;
}

bool cut_end(std::string_view& text, std::string_view part) {
  if (!text.ends_with(part)) return false;
  text.remove_suffix(part.size());
  return true;
}

bool is_plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_';
}

}  // namespace

std::optional<std::string> write_packed_call(std::string_view method, std::string_view packed) {
  if (method.empty() || !std::all_of(method.begin(), method.end(), is_plain)) return std::nullopt;
  const std::string before = std::string(kCallBegin).append(method).append(kCallMiddle);
  return message_with(before, packed, kCallEnd);
}

std::string write_packed_reply(std::string_view packed) { return message_with(kReplyBegin, packed, kReplyEnd); }

std::optional<PackedCall> recognise_packed_call(std::string_view xml) {
  if (!skip(xml, kCallBegin) || !cut_end(xml, kCallEnd)) return std::nullopt;
  const auto name_end = std::find_if_not(xml.begin(), xml.end(), is_plain);
  PackedCall call;
  call.method = std::string(xml.begin(), name_end);
  xml.remove_prefix(call.method.size());
  if (call.method.empty() || !skip(xml, kCallMiddle)) return std::nullopt;
  std::optional<std::string> packed = decode_base64(xml);
  if (!packed) return std::nullopt;
  call.packed = std::move(*packed);
  return call;
}

std::optional<std::string> recognise_packed_reply(std::string_view xml) {
  if (!skip(xml, kReplyBegin) || !cut_end(xml, kReplyEnd)) return std::nullopt;
  return decode_base64(xml);
}

}  // namespace mendfs::rpc
