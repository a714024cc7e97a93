// Inodes, names and counters as they are stored (docs/disk-format.md, "State"). Raise kStateVersion with any change.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "block/types.h"
#include "protocol/meta.h"

namespace mendfs::metaserver {

constexpr std::uint32_t kStateVersion = 2;

/// What the next numbers are made from, and what is counted rather than looked for.
struct Counters {
  std::uint64_t epoch = 0;
  std::uint64_t inodes_made = 0;  // in this epoch
  std::uint64_t terms_made = 0;   // in this epoch
  InodeNumber inode_high = 0;
  std::uint64_t inode_count = 0;
  std::uint64_t session_count = 0;  // open ones
  std::uint64_t fence_last = 0;
  template <class V>
  void fields(V& v) {
    v("epoch", epoch);
    v("inodes_made", inodes_made);
    v("terms_made", terms_made);
    v("inode_high", inode_high);
    v("inode_count", inode_count);
    v("session_count", session_count);
    v("fence_last", fence_last);
  }
};

struct InodeRecord {
  protocol::Attributes attributes;
  bool deleting = false;  // its blocks are going: gone for everybody but the deletion queue
  // Directories only.
  InodeNumber parent = 0;         // the root's is the root; kept when the last name goes
  std::string name;               // in its parent
  std::uint64_t entry_count = 0;  // without "." and ".."
  // Symlinks only.
  std::string symlink_target;
  // Files only.
  std::vector<SessionId> writers;         // sessions that have it open for writing
  std::optional<std::uint64_t> recovery;  // a writer died with it open: the fence to wait for, 0 for none
  std::uint32_t xattr_count = 0;
  std::uint32_t xattr_bytes = 0;  // names and values
  template <class V>
  void fields(V& v) {
    v("attributes", attributes);
    v("deleting", deleting);
    v("parent", parent);
    v("name", name);
    v("entry_count", entry_count);
    v("symlink_target", symlink_target);
    v("writers", writers);
    v("recovery", recovery);
    v("xattr_count", xattr_count);
    v("xattr_bytes", xattr_bytes);
  }

  InodeNumber inode() const { return attributes.inode; }
  bool is_directory() const { return S_ISDIR(attributes.mode); }
  bool is_file() const { return S_ISREG(attributes.mode); }
  bool is_orphan() const { return attributes.link_count == 0; }
};

struct DentryRecord {
  InodeNumber inode = 0;
  template <class V>
  void fields(V& v) {
    v("inode", inode);
  }
};

}  // namespace mendfs::metaserver
