#include "fuseclient/mountinfo.h"

#include <charconv>

namespace mendfs::fuse {
namespace {

std::string_view next_field(std::string_view& line) {
  const std::size_t space = line.find(' ');
  const std::string_view field = line.substr(0, space);
  line = space == std::string_view::npos ? std::string_view() : line.substr(space + 1);
  return field;
}

bool is_octal(char c) { return c >= '0' && c <= '7'; }

/// Blanks, newlines and backslashes stand as \ooo.
std::string unescape(std::string_view field) {
  std::string path;
  for (std::size_t i = 0; i < field.size(); ++i) {
    if (field[i] == '\\' && i + 3 < field.size() && is_octal(field[i + 1]) && is_octal(field[i + 2]) &&
        is_octal(field[i + 3])) {
      path += static_cast<char>((field[i + 1] - '0') * 64 + (field[i + 2] - '0') * 8 + (field[i + 3] - '0'));
      i += 3;
    } else {
      path += field[i];
    }
  }
  return path;
}

std::optional<MountEntry> parse_line(std::string_view line) {
  MountEntry entry;
  const std::string_view id = next_field(line);
  if (std::from_chars(id.data(), id.data() + id.size(), entry.id).ec != std::errc()) return std::nullopt;
  next_field(line);  // the parent's id
  entry.device = next_field(line);
  next_field(line);  // the root within the filesystem
  entry.mountpoint = unescape(next_field(line));
  // Options and tags of varying number end with a lone "-".
  while (!line.empty() && next_field(line) != "-") {
  }
  entry.type = next_field(line);
  if (entry.type.empty()) return std::nullopt;
  return entry;
}

}  // namespace

std::vector<MountEntry> parse_mountinfo(std::string_view text) {
  std::vector<MountEntry> entries;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    if (auto entry = parse_line(text.substr(0, end))) entries.push_back(std::move(*entry));
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  }
  return entries;
}

std::optional<MountEntry> mounted_at(const std::vector<MountEntry>& mounts, std::string_view mountpoint) {
  for (auto entry = mounts.rbegin(); entry != mounts.rend(); ++entry) {
    if (entry->mountpoint == mountpoint) return *entry;
  }
  return std::nullopt;
}

}  // namespace mendfs::fuse
