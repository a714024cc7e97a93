// Names in directories, in the order of a 63-bit hash of the name and then the name. The hash is the cookie of a
// readdir: it stays the same whatever else comes and goes, so reading on needs no memory of the reader. The seed is the
// cluster's secret, so nobody can choose many names of one hash; should two meet, both are listed on one page.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "metaserver/namespace/inode_record.h"
#include "metaserver/namespace/state.h"

namespace mendfs::metaserver {

/// A name of a directory entry: NotFound (empty), NameTooLong, InvalidArgument ('/' or NUL in it).
Result<void> check_name(std::string_view name);
inline bool is_dot_or_dot_dot(std::string_view name) { return name == "." || name == ".."; }

/// 3 .. 2^63 - 1. 0 to 2 are the start, "." and "..".
std::uint64_t name_hash(std::string_view name, std::uint64_t seed);

struct DirectoryPage {
  struct Entry {
    std::string name;
    std::uint64_t hash = 0;
    InodeNumber inode = 0;
  };
  std::vector<Entry> entries;
  bool end = false;
};

/// The entries of one directory. They neither look at its inode nor change it.
class Dentries {
 public:
  /// Unavailable before the cluster is made.
  static Result<Dentries> open(State& state, InodeNumber directory);

  Result<std::optional<InodeNumber>> find(std::string_view name) const;
  /// Adds it, or makes it name another inode.
  void set(std::string_view name, InodeNumber inode);
  void remove(std::string_view name);
  /// Up to count_max entries with a hash above `after`, and those that share the last one's.
  Result<DirectoryPage> page(std::uint64_t after, std::uint32_t count_max) const;

 private:
  Dentries(State& state, InodeNumber directory, std::uint64_t seed)
      : state_(&state), directory_(directory), seed_(seed) {}
  std::string key(std::string_view name) const;

  State* state_;
  InodeNumber directory_;
  std::uint64_t seed_;
};

}  // namespace mendfs::metaserver
