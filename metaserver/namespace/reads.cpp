// What the namespace answers without changing.
#include <algorithm>

#include "metaserver/namespace/dentries.h"
#include "metaserver/namespace/inodes.h"
#include "metaserver/namespace/namespace.h"
#include "metaserver/namespace/sessions.h"
#include "metaserver/namespace/state_keys.h"

namespace mendfs::metaserver {

Result<protocol::Attributes> Namespace::lookup(InodeNumber parent, const std::string& name) {
  MENDFS_TRY_VOID(check_name(name));
  MENDFS_TRY(InodeRecord directory, load_directory(state_, parent));
  if (name == ".") return std::move(directory.attributes);
  if (name == "..") return attributes(directory.parent);
  MENDFS_TRY(Dentries dentries, Dentries::open(state_, parent));
  MENDFS_TRY(const std::optional<InodeNumber> found, dentries.find(name));
  if (!found) return Error{ErrorCode::NotFound, "no such name"};
  MENDFS_TRY(InodeRecord record, load_named_inode(state_, *found));
  return std::move(record.attributes);
}

Result<protocol::Attributes> Namespace::attributes(InodeNumber inode) {
  MENDFS_TRY(InodeRecord record, load_inode(state_, inode));
  return std::move(record.attributes);
}

Result<protocol::ReadDirectoryReply> Namespace::read_directory(InodeNumber inode, std::uint64_t cookie,
                                                               std::uint32_t count_max) {
  MENDFS_TRY(const InodeRecord directory, load_directory(state_, inode));
  MENDFS_TRY(Dentries dentries, Dentries::open(state_, inode));
  MENDFS_TRY(DirectoryPage page, dentries.page(cookie, std::clamp(count_max, 1u, protocol::kDirectoryPageMax)));
  protocol::ReadDirectoryReply reply;
  reply.parent = directory.parent;
  reply.end = page.end;
  reply.entries.reserve(page.entries.size());
  for (DirectoryPage::Entry& entry : page.entries) {
    MENDFS_TRY(InodeRecord record, load_named_inode(state_, entry.inode));
    reply.entries.push_back({std::move(entry.name), entry.hash, std::move(record.attributes)});
  }
  return reply;
}

Result<std::string> Namespace::read_link(InodeNumber inode) {
  MENDFS_TRY(InodeRecord record, load_inode(state_, inode));
  if (!S_ISLNK(record.attributes.mode)) return Error{ErrorCode::InvalidArgument, "not a symlink"};
  return std::move(record.symlink_target);
}

Result<std::string> Namespace::xattr(InodeNumber inode, const std::string& name) {
  MENDFS_TRY(const InodeRecord record, load_inode(state_, inode));
  // Most inodes have none, and the kernel asks for security.capability before every write.
  if (record.xattr_count == 0) return Error{ErrorCode::NoAttribute, "no such extended attribute"};
  MENDFS_TRY(std::optional<std::string> value, state_.get(keys::xattr(inode, name)));
  if (!value) return Error{ErrorCode::NoAttribute, "no such extended attribute"};
  return std::move(*value);
}

Result<std::vector<std::string>> Namespace::xattr_names(InodeNumber inode) {
  MENDFS_TRY(const InodeRecord record, load_inode(state_, inode));
  std::vector<std::string> names;
  if (record.xattr_count == 0) return names;
  const std::string prefix = keys::xattrs(inode);
  MENDFS_TRY_VOID(state_.scan(prefix, keys::after_prefix(prefix), [&](std::string_view key, std::string_view) {
    names.emplace_back(key.substr(keys::kXattrNameOffset));
    return true;
  }));
  return names;
}

Result<protocol::Attributes> Namespace::resolve(std::string_view path) {
  if (!path.starts_with('/')) return Error{ErrorCode::InvalidArgument, "a path begins with '/'"};
  MENDFS_TRY(protocol::Attributes at, attributes(kRootInode));
  while (!path.empty()) {
    const std::size_t size = std::min(path.find('/'), path.size());
    const std::string name(path.substr(0, size));
    path.remove_prefix(std::min(size + 1, path.size()));
    if (name.empty()) continue;
    MENDFS_TRY(at, lookup(at.inode, name));
  }
  return at;
}

Result<std::uint64_t> Namespace::inode_count() {
  MENDFS_TRY(const Counters counters, load_counters(state_));
  return counters.inode_count;
}

Result<InodeNumber> Namespace::inode_high() {
  MENDFS_TRY(const Counters counters, load_counters(state_));
  return counters.inode_high;
}

Result<std::uint64_t> Namespace::epoch() {
  MENDFS_TRY(const Counters counters, load_counters(state_));
  return counters.epoch;
}

Result<bool> Namespace::has_kept(std::uint64_t index, std::uint64_t epoch) {
  MENDFS_TRY(const std::uint64_t current, this->epoch());
  if (epoch >= current) return epoch == current;
  // What the next epoch found when it began was there to stay.
  Result<std::uint64_t> next_began = Error{ErrorCode::Corruption, "the metadata store lacks the beginning of an epoch"};
  MENDFS_TRY_VOID(state_.scan(keys::epoch(epoch + 1), keys::after_prefix(std::string(1, keys::kEpochTag)),
                              [&](std::string_view, std::string_view value) {
                                next_began = unpack<std::uint64_t>(value);
                                return false;
                              }));
  MENDFS_TRY(const std::uint64_t began, next_began);
  return index < began;
}

Result<std::optional<ClusterRecord>> Namespace::cluster() { return state_.get_record<ClusterRecord>(keys::cluster()); }

Result<SlotRecord> Namespace::slot(Slot slot) {
  MENDFS_TRY(std::optional<SlotRecord> record, state_.get_record<SlotRecord>(keys::slot(slot)));
  if (!record) return Error{ErrorCode::NotFound, "the ring has no such slot"};
  return std::move(*record);
}

Result<std::vector<OpenSessionInfo>> Namespace::open_sessions() {
  std::vector<OpenSessionInfo> sessions;
  bool readable = true;
  const std::string prefix(1, keys::kSessionTag);
  MENDFS_TRY_VOID(state_.scan(prefix, keys::after_prefix(prefix), [&](std::string_view key, std::string_view value) {
    Result<SessionRecord> record = unpack<SessionRecord>(value);
    readable = record.ok() && key.size() == 17;
    if (!readable) return false;
    if (record->fence == 0) {
      const SessionId id{keys::big_endian_at(key, 1), keys::big_endian_at(key, 9)};
      sessions.push_back({id, std::move(record->client_name)});
    }
    return true;
  }));
  if (!readable) return Error{ErrorCode::Corruption, "the metadata store holds a session that cannot be read"};
  return sessions;
}

Result<bool> Namespace::is_open(const SessionId& session) {
  Result<SessionRecord> record = load_open_session(state_, session);
  if (!record.ok() && record.code() != ErrorCode::Refused) return record.error();
  return record.ok();
}

Result<std::vector<protocol::Fence>> Namespace::fences_above(std::uint64_t number) {
  std::vector<protocol::Fence> fences;
  if (number == UINT64_MAX) return fences;
  bool readable = true;
  const std::string end = keys::after_prefix(std::string(1, keys::kFenceTag));
  MENDFS_TRY_VOID(state_.scan(keys::fence(number + 1), end, [&](std::string_view key, std::string_view value) {
    const Result<SessionId> session = unpack<SessionId>(value);
    readable = session.ok() && key.size() == 9;
    if (readable) fences.push_back({keys::big_endian_at(key, 1), *session});
    return readable;
  }));
  if (!readable) return Error{ErrorCode::Corruption, "the metadata store holds a fence that cannot be read"};
  return fences;
}

Result<std::vector<SessionId>> Namespace::writers(InodeNumber inode) {
  MENDFS_TRY(InodeRecord record, load_inode(state_, inode));
  return std::move(record.writers);
}

Result<std::vector<InodeNumber>> Namespace::orphans(InodeNumber after, std::size_t count_max) {
  return queues_.list(state_, keys::kOrphanTag, after, count_max);
}

Result<std::vector<protocol::FileRef>> Namespace::queued_files(char queue, InodeNumber after, std::size_t count_max) {
  MENDFS_TRY(const std::vector<InodeNumber> inodes, queues_.list(state_, queue, after, count_max));
  std::vector<protocol::FileRef> files;
  for (const InodeNumber inode : inodes) {
    MENDFS_TRY(InodeRecord record, load_named_inode(state_, inode));
    files.push_back({inode, record.attributes.layout, std::move(record.attributes.cuts)});
  }
  return files;
}

Result<std::vector<protocol::FileRef>> Namespace::deletions(InodeNumber after, std::size_t count_max) {
  return queued_files(keys::kDeletionTag, after, count_max);
}

Result<std::vector<protocol::FileRef>> Namespace::unacknowledged_cuts(InodeNumber after, std::size_t count_max) {
  return queued_files(keys::kCutTag, after, count_max);
}

Result<std::vector<PendingRecovery>> Namespace::recoveries(InodeNumber after, std::size_t count_max) {
  MENDFS_TRY(const std::vector<InodeNumber> inodes, queues_.list(state_, keys::kRecoveryTag, after, count_max));
  std::vector<PendingRecovery> pending;
  for (const InodeNumber inode : inodes) {
    MENDFS_TRY(InodeRecord record, load_named_inode(state_, inode));
    pending.push_back({{inode, record.attributes.layout, record.attributes.cuts}, record.recovery.value_or(0)});
  }
  return pending;
}

}  // namespace mendfs::metaserver
