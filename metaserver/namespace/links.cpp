#include "metaserver/namespace/links.h"

#include "metaserver/namespace/dentries.h"
#include "metaserver/namespace/inodes.h"
#include "metaserver/namespace/operations.h"
#include "metaserver/namespace/state_keys.h"

namespace mendfs::metaserver {

void drop_name(Context& context, InodeRecord& record) {
  if (record.is_directory())
    record.attributes.link_count = 0;
  else
    --record.attributes.link_count;
  touch(context, record);
  if (record.is_orphan()) context.queues.add(context.state, keys::kOrphanTag, record.inode());
}

Result<void> check_empty(const InodeRecord& directory) {
  if (directory.entry_count > 0) return Error{ErrorCode::NotEmpty, "the directory is not empty"};
  return {};
}

Body apply_body(Context& context, const protocol::LinkRequest& request) {
  MENDFS_TRY_VOID(check_name(request.name));
  MENDFS_TRY(InodeRecord record, load_inode(context.state, request.inode));
  MENDFS_TRY(InodeRecord parent, load_directory(context.state, request.parent));
  if (is_dot_or_dot_dot(request.name)) return Error{ErrorCode::Exists, "the name is taken"};
  if (parent.is_orphan()) return Error{ErrorCode::NotFound, "the directory was removed"};
  MENDFS_TRY(Dentries dentries, Dentries::open(context.state, request.parent));
  MENDFS_TRY(const std::optional<InodeNumber> taken, dentries.find(request.name));
  if (taken) return Error{ErrorCode::Exists, "the name is taken"};
  if (record.is_directory()) return Error{ErrorCode::NotPermitted, "directories have one name"};
  if (record.is_orphan()) return Error{ErrorCode::NotFound, "the file has lost its last name"};
  if (record.attributes.link_count >= protocol::kLinkCountMax)
    return Error{ErrorCode::TooManyLinks, "a file has at most 65000 names"};

  ++record.attributes.link_count;
  touch(context, record);
  store_inode(context.state, record);
  ++parent.entry_count;
  touch_content(context, parent);
  store_inode(context.state, parent);
  dentries.set(request.name, request.inode);
  return pack(record.attributes);
}

namespace {

Result<void> check_removable_name(const protocol::RemoveRequest& request) {
  MENDFS_TRY_VOID(check_name(request.name));
  if (!is_dot_or_dot_dot(request.name)) return {};
  if (!request.directory) return Error{ErrorCode::IsDirectory, "a directory is removed by rmdir"};
  if (request.name == ".") return Error{ErrorCode::InvalidArgument, "\".\" is not removed"};
  return Error{ErrorCode::NotEmpty, "the directory is not empty"};
}

}  // namespace

Body apply_body(Context& context, const protocol::RemoveRequest& request) {
  MENDFS_TRY_VOID(check_removable_name(request));
  MENDFS_TRY(InodeRecord parent, load_directory(context.state, request.parent));
  MENDFS_TRY(Dentries dentries, Dentries::open(context.state, request.parent));
  MENDFS_TRY(const std::optional<InodeNumber> named, dentries.find(request.name));
  if (!named) return Error{ErrorCode::NotFound, "no such name"};
  MENDFS_TRY(InodeRecord record, load_named_inode(context.state, *named));
  if (request.directory) {
    if (!record.is_directory()) return Error{ErrorCode::NotDirectory, "not a directory"};
    MENDFS_TRY_VOID(check_empty(record));
    --parent.attributes.link_count;
  } else if (record.is_directory()) {
    return Error{ErrorCode::IsDirectory, "a directory is removed by rmdir"};
  }

  drop_name(context, record);
  store_inode(context.state, record);
  --parent.entry_count;
  touch_content(context, parent);
  store_inode(context.state, parent);
  dentries.remove(request.name);
  return pack(protocol::Nothing{});
}

}  // namespace mendfs::metaserver
