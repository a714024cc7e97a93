#include "fuseclient/convert.h"

#include <fcntl.h>
#include <linux/falloc.h>

#include <cstdio>

namespace mendfs::fuse {
namespace {

constexpr std::int64_t kNanosecondsPerSecond = 1'000'000'000;

timespec to_timespec(std::int64_t nanoseconds) {
  timespec time{};
  time.tv_sec = nanoseconds / kNanosecondsPerSecond;
  time.tv_nsec = nanoseconds % kNanosecondsPerSecond;
  if (time.tv_nsec < 0) {  // before 1970: the fraction still counts upwards
    time.tv_nsec += kNanosecondsPerSecond;
    --time.tv_sec;
  }
  return time;
}

/// Times beyond the years 1678 to 2262 are held at these ends, as filesystems do.
std::int64_t to_nanoseconds(const timespec& time) {
  constexpr std::int64_t kSecondsMax = INT64_MAX / kNanosecondsPerSecond - 1;
  if (time.tv_sec > kSecondsMax) return kSecondsMax * kNanosecondsPerSecond;
  if (time.tv_sec < -kSecondsMax) return -kSecondsMax * kNanosecondsPerSecond;
  return time.tv_sec * kNanosecondsPerSecond + time.tv_nsec;
}

}  // namespace

struct stat to_stat(const protocol::Attributes& attributes) {
  struct stat status {};
  status.st_ino = attributes.inode;
  status.st_mode = attributes.mode;
  status.st_nlink = attributes.link_count;
  status.st_uid = attributes.uid;
  status.st_gid = attributes.gid;
  status.st_rdev = attributes.rdev;
  status.st_size = static_cast<off_t>(attributes.size);
  status.st_blksize = kRequestSizeMax;
  status.st_blocks = static_cast<blkcnt_t>((attributes.size + 511) / 512);
  status.st_atim = to_timespec(attributes.atime);
  status.st_mtim = to_timespec(attributes.mtime);
  status.st_ctim = to_timespec(attributes.ctime);
  return status;
}

fuse_entry_param to_entry(const protocol::Attributes& attributes, Keep keep) {
  fuse_entry_param entry{};
  entry.ino = attributes.inode;
  entry.generation = 0;  // inode numbers are never used again
  entry.attr = to_stat(attributes);
  entry.attr_timeout = keep.attributes ? kUntilTold : 0;
  if (keep.name) entry.entry_timeout = S_ISDIR(attributes.mode) ? kDirectoryName : kUntilTold;
  return entry;
}

Keep keep_of(client::Filesystem& filesystem, InodeNumber parent, const std::string& name,
             const protocol::Attributes& attributes) {
  return {filesystem.may_keep(attributes), filesystem.may_keep_name(parent, name, attributes.inode)};
}

struct statvfs to_statvfs(const protocol::StatFsReply& reply) {
  constexpr std::uint64_t kUnit = 4096;
  struct statvfs status {};
  status.f_bsize = kRequestSizeMax;
  status.f_frsize = kUnit;
  status.f_blocks = reply.total_bytes / kUnit;
  status.f_bfree = reply.free_bytes / kUnit;
  status.f_bavail = status.f_bfree;
  // Inodes are not preallocated: as many as there is space for their names.
  status.f_files = reply.inode_count + status.f_bfree;
  status.f_ffree = status.f_bfree;
  status.f_favail = status.f_bfree;
  status.f_namemax = protocol::kNameSizeMax;
  return status;
}

protocol::SetAttributesRequest to_set_attributes(InodeNumber inode, const struct stat& wanted, int to_set) {
  protocol::SetAttributesRequest request;
  request.inode = inode;
  if (to_set & FUSE_SET_ATTR_MODE) request.mode = wanted.st_mode & 07777;
  if (to_set & FUSE_SET_ATTR_UID) request.uid = wanted.st_uid;
  if (to_set & FUSE_SET_ATTR_GID) request.gid = wanted.st_gid;
  if (to_set & FUSE_SET_ATTR_SIZE) request.size = static_cast<std::uint64_t>(wanted.st_size);
  if (to_set & FUSE_SET_ATTR_ATIME_NOW) {
    request.atime = protocol::TimeChange{.now = true, .time = 0};
  } else if (to_set & FUSE_SET_ATTR_ATIME) {
    request.atime = protocol::TimeChange{.now = false, .time = to_nanoseconds(wanted.st_atim)};
  }
  if (to_set & FUSE_SET_ATTR_MTIME_NOW) {
    request.mtime = protocol::TimeChange{.now = true, .time = 0};
  } else if (to_set & FUSE_SET_ATTR_MTIME) {
    request.mtime = protocol::TimeChange{.now = false, .time = to_nanoseconds(wanted.st_mtim)};
  }
  return request;
}

client::OpenFlags to_open_flags(int flags) {
  client::OpenFlags open;
  const int access = flags & O_ACCMODE;
  open.read = access == O_RDONLY || access == O_RDWR;
  open.write = access == O_WRONLY || access == O_RDWR;
  open.append = (flags & O_APPEND) != 0;
  open.sync = (flags & O_DSYNC) != 0;  // O_SYNC contains it
  open.truncate = (flags & O_TRUNC) != 0;
  open.noatime = (flags & O_NOATIME) != 0;
  return open;
}

Result<client::AllocateMode> to_allocate_mode(int mode) {
  switch (mode) {
    case 0:
      return client::AllocateMode::Extend;
    case FALLOC_FL_KEEP_SIZE:
      return client::AllocateMode::KeepSize;
    case FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE:
      return client::AllocateMode::PunchHole;
    case FALLOC_FL_ZERO_RANGE:
      return client::AllocateMode::ZeroRange;
    case FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE:
      return client::AllocateMode::ZeroRangeKeepSize;
    default:
      return Error{ErrorCode::NotSupported, "fallocate cannot collapse, insert or unshare ranges here"};
  }
}

Result<void> set_rename_flags(unsigned flags, protocol::RenameRequest& request) {
  request.no_replace = (flags & RENAME_NOREPLACE) != 0;
  request.exchange = (flags & RENAME_EXCHANGE) != 0;
  if ((flags & ~static_cast<unsigned>(RENAME_NOREPLACE | RENAME_EXCHANGE)) != 0 ||
      (request.no_replace && request.exchange)) {
    return Error{ErrorCode::InvalidArgument, "no such rename flags"};
  }
  return {};
}

}  // namespace mendfs::fuse
