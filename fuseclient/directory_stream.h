// One open directory, read from front to back. The kernel asks for a few kilobytes at a time; the metaserver is asked
// for a whole page of names, which is kept here until it is used up. Loop thread only.
#pragma once

#define FUSE_USE_VERSION 312
#include <fuse3/fuse_lowlevel.h>

#include <cstdint>
#include <string>

#include "client/filesystem.h"
#include "env/task.h"

namespace mendfs::fuse {

enum class ListForm { Names, NamesWithAttributes };

class DirectoryStream {
 public:
  explicit DirectoryStream(InodeNumber inode) : inode_(inode) {}

  /// The entries after `offset` (0: from the start, 1: after ".", 2: after "..", then cookies), packed for the kernel
  /// into at most `size` bytes; empty at the end. The stream outlives the task.
  Task<Result<std::string>> list(client::Filesystem* filesystem, fuse_req_t request, std::uint64_t offset,
                                 std::size_t size, ListForm form);

 private:
  Task<Result<void>> load(client::Filesystem* filesystem, std::uint64_t after);
  /// The place in page_ behind the entry with this cookie, or of the first one if the page begins after it.
  std::optional<std::size_t> position_after(std::uint64_t cookie) const;

  InodeNumber inode_;
  bool loaded_ = false;
  std::uint64_t page_after_ = 0;  // the cookie that page_ begins after
  protocol::ReadDirectoryReply page_;
};

}  // namespace mendfs::fuse
