// What -o says, in the words of mount(8). Pure.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "base/error.h"

namespace mendfs::fuse {

struct MountOptions {
  bool allow_other = false;
  bool read_only = false;
  bool sync = false;
  bool dirsync = false;
  bool noatime = false;
  bool nonempty = false;
  /// Zero: wait for ever.
  std::chrono::seconds timeout{0};
  std::string fsname = "mendfs";
  /// dev, suid and exec and their opposites, as libfuse takes them: empty or ",word,word".
  std::string kernel_flags;
};

/// Adds a list such as "ro,allow_other,timeout=30"; later words win. InvalidArgument names the word that is wrong.
Result<void> add_mount_options(std::string_view list, MountOptions& options);

/// The -o list for libfuse. default_permissions is always in it: the kernel, not this program, checks permissions.
std::string libfuse_options(const MountOptions& options);

}  // namespace mendfs::fuse
