// chmod, chown, truncate and utimens.
#include "metaserver/namespace/cuts.h"
#include "metaserver/namespace/inodes.h"
#include "metaserver/namespace/operations.h"
#include "metaserver/namespace/writers.h"

namespace mendfs::metaserver {

namespace {

Result<void> set_size(Context& context, InodeRecord& record, std::uint64_t size) {
  if (record.is_directory()) return Error{ErrorCode::IsDirectory, "a directory is not truncated"};
  if (!record.is_file()) return Error{ErrorCode::InvalidArgument, "only files are truncated"};
  if (size > kFileSizeMax) return Error{ErrorCode::FileTooBig, "files end below 2^63"};
  // A writer may have put bytes beyond the size we know: without a cut they would come back with its report.
  if (size < record.attributes.size || size_is_unsure(record)) MENDFS_TRY_VOID(cut(context, record, size));
  record.attributes.size = size;
  record.attributes.mtime = context.time;
  return {};
}

}  // namespace

Body apply_body(Context& context, const protocol::SetAttributesRequest& request) {
  MENDFS_TRY(InodeRecord record, load_inode(context.state, request.inode));
  protocol::Attributes& attributes = record.attributes;
  if (request.size) MENDFS_TRY_VOID(set_size(context, record, *request.size));
  if (request.clear_suid) attributes.mode = without_privileges(attributes.mode);
  set_mode_and_owner(record, request.mode, request.uid, request.gid);
  if (request.atime) attributes.atime = request.atime->now ? context.time : request.atime->time;
  if (request.mtime) attributes.mtime = request.mtime->now ? context.time : request.mtime->time;
  touch(context, record);
  store_inode(context.state, record);
  return pack(attributes);
}

}  // namespace mendfs::metaserver
