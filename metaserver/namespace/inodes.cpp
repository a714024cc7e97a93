#include "metaserver/namespace/inodes.h"

#include <sys/stat.h>

#include <algorithm>

#include "metaserver/namespace/state_keys.h"

namespace mendfs::metaserver {
namespace {

constexpr std::uint32_t kPermissionBits = 07777;

}  // namespace

Result<Counters> load_counters(State& state) {
  MENDFS_TRY(std::optional<Counters> counters, state.get_record<Counters>(keys::counters()));
  return counters.value_or(Counters{});
}

void store_counters(State& state, const Counters& counters) { state.put_record(keys::counters(), counters); }

namespace {

Result<std::optional<InodeRecord>> find_inode(State& state, InodeNumber inode) {
  MENDFS_TRY(std::optional<InodeRecord> record, state.get_record<InodeRecord>(keys::inode(inode)));
  if (record && record->inode() != inode)
    return Error{ErrorCode::Corruption, "the metadata store holds an inode under another one's number"};
  return record;
}

}  // namespace

Result<InodeRecord> load_inode(State& state, InodeNumber inode) {
  MENDFS_TRY(std::optional<InodeRecord> record, find_inode(state, inode));
  if (!record || record->deleting) return Error{ErrorCode::StaleHandle, "the inode is gone"};
  return std::move(*record);
}

Result<InodeRecord> load_named_inode(State& state, InodeNumber inode) {
  MENDFS_TRY(std::optional<InodeRecord> record, find_inode(state, inode));
  if (!record) return Error{ErrorCode::Corruption, "the metadata store lacks an inode that it names"};
  return std::move(*record);
}

Result<InodeRecord> load_directory(State& state, InodeNumber inode) {
  MENDFS_TRY(InodeRecord record, load_inode(state, inode));
  if (!record.is_directory()) return Error{ErrorCode::NotDirectory, "not a directory"};
  return record;
}

void store_inode(State& state, const InodeRecord& record) { state.put_record(keys::inode(record.inode()), record); }

Result<InodeNumber> next_inode_number(Counters& counters) {
  if (counters.inodes_made >= (std::uint64_t{1} << kEpochShift) - 1)
    return Error{ErrorCode::NoSpace, "no inode numbers are left in this epoch: restart the metaserver"};
  ++counters.inodes_made;
  counters.inode_high = counters.epoch << kEpochShift | counters.inodes_made;
  return counters.inode_high;
}

std::uint32_t without_privileges(std::uint32_t mode) {
  mode &= ~static_cast<std::uint32_t>(S_ISUID);
  if ((mode & S_IXGRP) != 0) mode &= ~static_cast<std::uint32_t>(S_ISGID);
  return mode;
}

void set_mode_and_owner(InodeRecord& record, std::optional<std::uint32_t> mode, std::optional<std::uint32_t> uid,
                        std::optional<std::uint32_t> gid) {
  protocol::Attributes& attributes = record.attributes;
  if (uid) attributes.uid = *uid;
  if (gid) attributes.gid = *gid;
  if ((uid || gid) && !record.is_directory()) attributes.mode = without_privileges(attributes.mode);
  if (mode) attributes.mode = (attributes.mode & S_IFMT) | (*mode & kPermissionBits);
}

void touch(const Context& context, InodeRecord& record) {
  record.attributes.ctime = context.time;
  // The epoch in the high bits: a number seen in changes that a power cut took is never given to other changes.
  record.attributes.change = std::max(record.attributes.change + 1, context.epoch << kEpochShift);
}

void touch_content(const Context& context, InodeRecord& record) {
  touch(context, record);
  record.attributes.mtime = context.time;
}

}  // namespace mendfs::metaserver
