#include "metaserver/namespace/writers.h"

#include <algorithm>

#include "metaserver/namespace/cuts.h"
#include "metaserver/namespace/inodes.h"
#include "metaserver/namespace/operations.h"
#include "metaserver/namespace/state_keys.h"

namespace mendfs::metaserver {

void mark_writer(State& state, InodeRecord& record, const SessionId& session) {
  if (std::find(record.writers.begin(), record.writers.end(), session) != record.writers.end()) return;
  record.writers.push_back(session);
  state.put(keys::write_mark(session, record.inode()), {});
}

void unmark_writer(State& state, InodeRecord& record, const SessionId& session) {
  if (std::erase(record.writers, session) > 0) state.remove(keys::write_mark(session, record.inode()));
}

void unmark_all_writers(Context& context, InodeRecord& record) {
  for (const SessionId& session : record.writers) context.state.remove(keys::write_mark(session, record.inode()));
  record.writers.clear();
  if (record.recovery) context.queues.remove(context.state, keys::kRecoveryTag, record.inode());
  record.recovery.reset();
}

Result<void> abandon_marks(Context& context, const SessionId& session, std::uint64_t fence) {
  std::vector<InodeNumber> marked;
  const std::string prefix = keys::write_marks(session);
  MENDFS_TRY_VOID(context.state.scan(prefix, keys::after_prefix(prefix), [&](std::string_view key, std::string_view) {
    if (key.size() == keys::kWriteMarkInodeOffset + 8)
      marked.push_back(keys::big_endian_at(key, keys::kWriteMarkInodeOffset));
    return true;
  }));
  for (const InodeNumber inode : marked) {
    MENDFS_TRY(InodeRecord record, load_named_inode(context.state, inode));
    unmark_writer(context.state, record, session);
    record.recovery = std::max(record.recovery.value_or(0), fence);
    context.queues.add(context.state, keys::kRecoveryTag, inode);
    store_inode(context.state, record);
  }
  return {};
}

Body apply_body(Context& context, const protocol::OpenRequest& request) {
  MENDFS_TRY(InodeRecord record, load_inode(context.state, request.inode));
  if (request.write) {
    if (record.is_directory()) return Error{ErrorCode::IsDirectory, "a directory is not written to"};
    if (record.is_file()) {
      mark_writer(context.state, record, request.call.session);
      store_inode(context.state, record);
    }
  }
  return pack(record.attributes);
}

Body apply_body(Context& context, const protocol::SettleRequest& request) {
  MENDFS_TRY(InodeRecord record, load_inode(context.state, request.inode));
  protocol::Attributes& attributes = record.attributes;
  if (request.size) {
    if (!record.is_file()) return Error{ErrorCode::InvalidArgument, "only files have a size to settle"};
    if (*request.size > kFileSizeMax) return Error{ErrorCode::FileTooBig, "files end below 2^63"};
    if (request.cut != attributes.cuts.number())
      return Error{ErrorCode::Stale, "the file was cut meanwhile: fetch its attributes anew"};
  }

  const bool grows = request.size && *request.size > attributes.size;
  if (grows) attributes.size = *request.size;
  if (request.mtime) attributes.mtime = *request.mtime;
  set_mode_and_owner(record, request.mode, request.uid, request.gid);
  if (grows || request.mtime || request.mode || request.uid || request.gid) touch(context, record);
  // The time of a read is no change of the inode: it moves no ctime.
  if (request.atime) attributes.atime = *request.atime;
  if (request.close_write) unmark_writer(context.state, record, request.call.session);
  store_inode(context.state, record);
  return pack(attributes);
}

Body apply_body(Context& context, const protocol::AbandonRequest& request) {
  MENDFS_TRY(InodeRecord record, load_inode(context.state, request.inode));
  if (!record.is_file()) return Error{ErrorCode::InvalidArgument, "only files have bytes to give up"};
  if (request.size > kFileSizeMax) return Error{ErrorCode::FileTooBig, "files end below 2^63"};
  const bool is_alone = std::all_of(record.writers.begin(), record.writers.end(),
                                    [&](const SessionId& writer) { return writer == request.call.session; });
  // Others may have delivered bytes there and not told of them yet.
  if (is_alone && !record.recovery) {
    MENDFS_TRY_VOID(cut(context, record, std::max(request.size, record.attributes.size)));
    touch(context, record);
    store_inode(context.state, record);
  }
  return pack(record.attributes);
}

Body apply_body(Context& context, const protocol::UnmarkRequest& request) {
  if (request.inodes.size() > protocol::kUnmarkCountMax)
    return Error{ErrorCode::Malformed, "marks are dropped in portions of at most 256"};
  for (const InodeNumber inode : request.inodes) {
    Result<InodeRecord> record = load_inode(context.state, inode);
    if (record.code() == ErrorCode::StaleHandle) continue;
    if (!record.ok()) return record.error();
    unmark_writer(context.state, *record, request.call.session);
    store_inode(context.state, *record);
  }
  return done();
}

Body apply_body(Context& context, const RecoverSize& command) {
  MENDFS_TRY(InodeRecord record, load_inode(context.state, command.inode));
  if (!record.recovery) return done();
  protocol::Attributes& attributes = record.attributes;
  if (command.cut != attributes.cuts.number())
    return Error{ErrorCode::Stale, "the file was cut meanwhile: ask its holders again"};
  if (command.size > kFileSizeMax) return Error{ErrorCode::FileTooBig, "files end below 2^63"};
  if (command.size > attributes.size) {
    attributes.size = command.size;
    touch_content(context, record);
  }
  if (command.fence >= *record.recovery) {
    record.recovery.reset();
    context.queues.remove(context.state, keys::kRecoveryTag, command.inode);
  }
  store_inode(context.state, record);
  return done();
}

}  // namespace mendfs::metaserver
