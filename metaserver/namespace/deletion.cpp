// The way of an inode without a name: orphan (perhaps open somewhere), deleted (its blocks are going), forgotten.
#include "metaserver/namespace/inodes.h"
#include "metaserver/namespace/operations.h"
#include "metaserver/namespace/state_keys.h"
#include "metaserver/namespace/writers.h"

namespace mendfs::metaserver {

namespace {

Result<void> remove_xattrs(State& state, InodeRecord& record) {
  if (record.xattr_count == 0) return {};
  std::vector<std::string> found;
  const std::string prefix = keys::xattrs(record.inode());
  MENDFS_TRY_VOID(state.scan(prefix, keys::after_prefix(prefix), [&](std::string_view key, std::string_view) {
    found.emplace_back(key);
    return true;
  }));
  for (std::string& key : found) state.remove(std::move(key));
  record.xattr_count = 0;
  record.xattr_bytes = 0;
  return {};
}

}  // namespace

Body apply_body(Context& context, const DeleteInode& command) {
  State& state = context.state;
  MENDFS_TRY(InodeRecord record, load_inode(state, command.inode));
  if (!record.is_orphan()) return Error{ErrorCode::InvalidArgument, "the inode has a name"};
  MENDFS_TRY_VOID(remove_xattrs(state, record));
  unmark_all_writers(context, record);
  context.queues.remove(state, keys::kOrphanTag, command.inode);
  context.queues.remove(state, keys::kCutTag, command.inode);
  MENDFS_TRY(Counters counters, load_counters(state));
  --counters.inode_count;
  store_counters(state, counters);
  if (record.is_file()) {
    record.deleting = true;
    store_inode(state, record);
    context.queues.add(state, keys::kDeletionTag, command.inode);
  } else {
    state.remove(keys::inode(command.inode));
  }
  return done();
}

Body apply_body(Context& context, const ForgetInode& command) {
  State& state = context.state;
  MENDFS_TRY(const std::optional<std::string> queued, state.get(keys::queued(keys::kDeletionTag, command.inode)));
  if (!queued) return Error{ErrorCode::StaleHandle, "the inode is not being deleted"};
  context.queues.remove(state, keys::kDeletionTag, command.inode);
  state.remove(keys::inode(command.inode));
  return done();
}

}  // namespace mendfs::metaserver
