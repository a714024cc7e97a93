// Between the kernel's structures and the client core's. Pure.
#pragma once

#define FUSE_USE_VERSION 312
#include <fuse3/fuse_lowlevel.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <string>

#include "base/error.h"
#include "client/filesystem.h"
#include "protocol/meta.h"

namespace mendfs::fuse {

/// What stat(2) calls the best size of a request, and the largest one the kernel sends.
constexpr std::uint32_t kRequestSizeMax = 1u << 20;

struct stat to_stat(const protocol::Attributes& attributes);
/// How long, in seconds, the kernel keeps what the core keeps true: until it is told otherwise.
constexpr double kUntilTold = 1e6;
/// And the names of directories, which are not taken from it: who works in one would lose his way.
constexpr double kDirectoryName = 0.1;
/// What the kernel may keep of an answer; the rest it asks for again each time.
struct Keep {
  bool attributes = false;
  bool name = false;
};
fuse_entry_param to_entry(const protocol::Attributes& attributes, Keep keep);
/// As much as the core keeps, of a name in `parent`.
Keep keep_of(client::Filesystem& filesystem, InodeNumber parent, const std::string& name,
             const protocol::Attributes& attributes);
struct statvfs to_statvfs(const protocol::StatFsReply& reply);

/// `to_set` has libfuse's FUSE_SET_ATTR_ bits.
protocol::SetAttributesRequest to_set_attributes(InodeNumber inode, const struct stat& wanted, int to_set);
/// `flags` as in open(2).
client::OpenFlags to_open_flags(int flags);
/// `mode` as in fallocate(2). NotSupported for what copies or moves bytes.
Result<client::AllocateMode> to_allocate_mode(int mode);
/// `flags` as in renameat2(2). InvalidArgument for what is not known.
Result<void> set_rename_flags(unsigned flags, protocol::RenameRequest& request);

}  // namespace mendfs::fuse
