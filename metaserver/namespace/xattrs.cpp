// Extended attributes: user.*, trusted.* and security.* are kept as they are, whoever may set them being the kernel's
// to say. system.* (ACLs) is not supported, so that nobody believes in permissions that nobody checks.
#include "metaserver/namespace/inodes.h"
#include "metaserver/namespace/limits.h"
#include "metaserver/namespace/operations.h"
#include "metaserver/namespace/state_keys.h"

namespace mendfs::metaserver {

namespace {

Result<void> check_xattr_name(std::string_view name) {
  if (name.empty() || name.size() > protocol::kNameSizeMax)
    return Error{ErrorCode::TooSmall, "names of extended attributes have 1 to 255 bytes"};
  if (name.find('\0') != std::string_view::npos)
    return Error{ErrorCode::InvalidArgument, "the name of an extended attribute has no NUL in it"};
  for (const std::string_view prefix : {"user.", "trusted.", "security."}) {
    if (!name.starts_with(prefix)) continue;
    if (name.size() == prefix.size())
      return Error{ErrorCode::InvalidArgument, "the extended attribute has no name after its prefix"};
    return {};
  }
  return Error{ErrorCode::NotSupported, "extended attributes are called user.*, trusted.* or security.*"};
}

std::uint32_t bytes_of_xattr(const std::string& name, const std::string& value) {
  return static_cast<std::uint32_t>(name.size() + value.size());
}

}  // namespace

Body apply_body(Context& context, const protocol::SetXattrRequest& request) {
  MENDFS_TRY_VOID(check_xattr_name(request.name));
  if (request.value.size() > protocol::kXattrValueSizeMax)
    return Error{ErrorCode::TooBig, "extended attributes have at most 65536 bytes"};
  if (request.create && request.replace)
    return Error{ErrorCode::InvalidArgument, "an extended attribute is either created or replaced"};
  MENDFS_TRY(InodeRecord record, load_inode(context.state, request.inode));
  const std::string key = keys::xattr(request.inode, request.name);
  MENDFS_TRY(const std::optional<std::string> old, context.state.get(key));
  if (old && request.create) return Error{ErrorCode::Exists, "the extended attribute is there"};
  if (!old && request.replace) return Error{ErrorCode::NoAttribute, "no such extended attribute"};

  if (old)
    record.xattr_bytes -= bytes_of_xattr(request.name, *old);
  else
    ++record.xattr_count;
  record.xattr_bytes += bytes_of_xattr(request.name, request.value);
  if (record.xattr_count > kXattrCountMax || record.xattr_bytes > kXattrBytesMax)
    return Error{ErrorCode::NoSpace, "an inode has at most 256 extended attributes of 131072 bytes in all"};
  touch(context, record);
  store_inode(context.state, record);
  context.state.put(key, request.value);
  return pack(protocol::Nothing{});
}

Body apply_body(Context& context, const protocol::RemoveXattrRequest& request) {
  MENDFS_TRY(InodeRecord record, load_inode(context.state, request.inode));
  const std::string key = keys::xattr(request.inode, request.name);
  MENDFS_TRY(const std::optional<std::string> old, context.state.get(key));
  if (!old) return Error{ErrorCode::NoAttribute, "no such extended attribute"};
  --record.xattr_count;
  record.xattr_bytes -= bytes_of_xattr(request.name, *old);
  touch(context, record);
  store_inode(context.state, record);
  context.state.remove(key);
  return pack(protocol::Nothing{});
}

}  // namespace mendfs::metaserver
