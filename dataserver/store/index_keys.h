// The keys of the index; all integers in them are big-endian, so that they sort (docs/disk-format.md, "Index").
//
//   "r" inode residue unit   StoredRun        "c" inode     CutEntry
//   "s" segment              SegmentSummary   "t" inode     nothing: runs beyond its cuts are to be dropped
//   "p"                      Checkpoint       "e"           Position: end of the log that the index has seen
//   "n"                      nothing: built from the segments; before the first flush nobody knows which were removed
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "block/types.h"
#include "dataserver/store/stored_run.h"

namespace mendfs::store::keys {

constexpr std::string_view kCheckpoint = "p";
constexpr std::string_view kEnd = "e";
constexpr std::string_view kBuiltAnew = "n";
constexpr char kRun = 'r';
constexpr char kCuts = 'c';
constexpr char kSegment = 's';
constexpr char kTrim = 't';

template <class T>
void append_big_endian(std::string& key, T value) {
  for (int shift = static_cast<int>(sizeof(T)) * 8 - 8; shift >= 0; shift -= 8)
    key.push_back(static_cast<char>(value >> shift & 0xff));
}

template <class T>
T big_endian_at(std::string_view key, std::size_t offset) {
  T value = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i)
    value = static_cast<T>(value << 8 | static_cast<unsigned char>(key[offset + i]));
  return value;
}

/// A key of one letter and one number.
template <class T>
std::string numbered(char letter, T number) {
  std::string key(1, letter);
  append_big_endian(key, number);
  return key;
}
/// The number of such a key; nothing when it is none.
template <class T>
std::optional<T> number_of(std::string_view key) {
  if (key.size() != 1 + sizeof(T)) return std::nullopt;
  return big_endian_at<T>(key, 1);
}
/// The first key after all that begin with `letter`.
inline std::string end_of(char letter) { return std::string(1, static_cast<char>(letter + 1)); }

inline std::string run_class(const ClassKey& key) {
  std::string text = numbered(kRun, key.inode);
  append_big_endian(text, key.residue);
  return text;
}
inline std::string run(const ClassKey& key, Unit unit) {
  std::string text = run_class(key);
  append_big_endian(text, unit);
  return text;
}
constexpr std::size_t kRunKeySize = 1 + 8 + 4 + 8;

struct RunKey {
  ClassKey key;
  Unit unit = 0;
};
inline std::optional<RunKey> parse_run(std::string_view key) {
  if (key.size() != kRunKeySize || key[0] != kRun) return std::nullopt;
  return RunKey{{big_endian_at<InodeNumber>(key, 1), big_endian_at<std::uint32_t>(key, 9)},
                big_endian_at<Unit>(key, 13)};
}

}  // namespace mendfs::store::keys
