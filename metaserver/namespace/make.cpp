// New files, directories, symlinks and special files.
#include "block/placement.h"
#include "metaserver/namespace/dentries.h"
#include "metaserver/namespace/inodes.h"
#include "metaserver/namespace/operations.h"
#include "metaserver/namespace/writers.h"

namespace mendfs::metaserver {

namespace {

constexpr std::uint32_t kPermissionBits = 07777;

Result<void> check_symlink_target(const std::string& target) {
  if (target.empty()) return Error{ErrorCode::NotFound, "an empty symlink leads nowhere"};
  if (target.size() > protocol::kSymlinkSizeMax)
    return Error{ErrorCode::NameTooLong, "symlinks have at most 4095 bytes"};
  if (target.find('\0') != std::string::npos) return Error{ErrorCode::InvalidArgument, "a symlink has no NUL in it"};
  return {};
}

/// The type of `mode`; none at all is a file, as for mknod(2).
Result<std::uint32_t> type_of(std::uint32_t mode) {
  const std::uint32_t type = mode & S_IFMT;
  switch (type) {
    case 0:
      return static_cast<std::uint32_t>(S_IFREG);
    case S_IFREG:
    case S_IFDIR:
    case S_IFLNK:
    case S_IFIFO:
    case S_IFSOCK:
    case S_IFCHR:
    case S_IFBLK:
      return type;
    default:
      return Error{ErrorCode::InvalidArgument, "there is no such type of file"};
  }
}

/// What a new inode is before it has a number, a name or a layout.
InodeRecord new_record(const Context& context, const protocol::MakeRequest& request, std::uint32_t type,
                       const InodeRecord& parent) {
  InodeRecord record;
  protocol::Attributes& attributes = record.attributes;
  attributes.mode = type | (request.mode & kPermissionBits);
  attributes.link_count = 1;
  attributes.uid = request.uid;
  attributes.gid = request.gid;
  if ((parent.attributes.mode & S_ISGID) != 0) {
    attributes.gid = parent.attributes.gid;
    if (type == S_IFDIR) attributes.mode |= S_ISGID;
  }
  if (type == S_IFCHR || type == S_IFBLK) attributes.rdev = request.rdev;
  if (type == S_IFLNK) {
    attributes.mode = S_IFLNK | 0777;
    attributes.size = request.symlink_target.size();
    record.symlink_target = request.symlink_target;
  }
  attributes.atime = attributes.mtime = context.time;
  touch(context, record);
  return record;
}

}  // namespace

Body apply_body(Context& context, const protocol::MakeRequest& request) {
  MENDFS_TRY_VOID(check_name(request.name));
  MENDFS_TRY(const std::uint32_t type, type_of(request.mode));
  if (type == S_IFLNK) MENDFS_TRY_VOID(check_symlink_target(request.symlink_target));
  MENDFS_TRY(InodeRecord parent, load_directory(context.state, request.parent));
  if (is_dot_or_dot_dot(request.name)) return Error{ErrorCode::Exists, "the name is taken"};
  if (parent.is_orphan()) return Error{ErrorCode::NotFound, "the directory was removed"};
  MENDFS_TRY(Dentries dentries, Dentries::open(context.state, request.parent));
  MENDFS_TRY(const std::optional<InodeNumber> taken, dentries.find(request.name));
  if (taken) return Error{ErrorCode::Exists, "the name is taken"};
  if (type == S_IFDIR && parent.attributes.link_count >= protocol::kLinkCountMax)
    return Error{ErrorCode::TooManyLinks, "a directory has at most 65000 links"};

  InodeRecord record = new_record(context, request, type, parent);
  MENDFS_TRY(Counters counters, load_counters(context.state));
  MENDFS_TRY(record.attributes.inode, next_inode_number(counters));
  ++counters.inode_count;
  store_counters(context.state, counters);

  if (type == S_IFDIR) {
    record.attributes.link_count = 2;
    record.attributes.layout = parent.attributes.layout;
    record.parent = request.parent;
    record.name = request.name;
    ++parent.attributes.link_count;
  } else if (type == S_IFREG) {
    record.attributes.layout = parent.attributes.layout;
    MENDFS_TRY(const std::string directory, context.paths.path_of(context.state, request.parent));
    record.attributes.layout.start = start_slot(directory + '/' + request.name, record.attributes.layout.slot_count);
    if (request.open_for_write) mark_writer(context.state, record, request.call.session);
  }
  ++parent.entry_count;
  touch_content(context, parent);
  store_inode(context.state, parent);
  store_inode(context.state, record);
  dentries.set(request.name, record.inode());
  return pack(record.attributes);
}

}  // namespace mendfs::metaserver
