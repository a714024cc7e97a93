// Extended attributes of users ("user."). The kernel keeps the other classes to itself or they do not exist here.
#include <sys/xattr.h>

#include <string>
#include <string_view>
#include <vector>

#include "fuseclient/convert.h"
#include "fuseclient/operations.h"
#include "fuseclient/requests.h"

namespace mendfs::fuse {
namespace {

using client::Filesystem;

void reply_done(fuse_req_t request) { fuse_reply_err(request, 0); }

/// As getxattr(2) and listxattr(2): size 0 asks how large it is.
void reply_bytes(fuse_req_t request, const std::string& bytes, std::size_t size) {
  if (size == 0) {
    fuse_reply_xattr(request, bytes.size());
  } else if (size < bytes.size()) {
    fuse_reply_err(request, ERANGE);
  } else {
    fuse_reply_buf(request, bytes.data(), bytes.size());
  }
}

/// Answered here, without asking a server: the kernel looks for "security.capability" before each write, and `ls -l`
/// for access lists of each file.
bool refuse_foreign_class(fuse_req_t request, std::string_view name) {
  if (name.starts_with("user.")) return false;
  fuse_reply_err(request, name == "security.capability" ? ENODATA : EOPNOTSUPP);
  return true;
}

void getxattr(fuse_req_t request, fuse_ino_t inode, const char* name, std::size_t size) {
  if (refuse_foreign_class(request, name)) return;
  Requests::of(request).start(
      request, [inode, name = std::string(name)](Filesystem& fs) { return fs.get_xattr(inode, name); },
      [size](fuse_req_t answered, const std::string& value) { reply_bytes(answered, value, size); });
}

void listxattr(fuse_req_t request, fuse_ino_t inode, std::size_t size) {
  Requests::of(request).start(
      request, [inode](Filesystem& fs) { return fs.list_xattrs(inode); },
      [size](fuse_req_t answered, const std::vector<std::string>& names) {
        std::string list;
        for (const std::string& name : names) list.append(name).push_back('\0');
        reply_bytes(answered, list, size);
      });
}

void setxattr(fuse_req_t request, fuse_ino_t inode, const char* name, const char* value, std::size_t size, int flags) {
  if (refuse_foreign_class(request, name)) return;
  protocol::SetXattrRequest change;
  change.inode = inode;
  change.name = name;
  change.value.assign(value, size);
  change.create = (flags & XATTR_CREATE) != 0;
  change.replace = (flags & XATTR_REPLACE) != 0;
  Requests::of(request).start(
      request, [change = std::move(change)](Filesystem& fs) { return fs.set_xattr(change); }, reply_done);
}

void removexattr(fuse_req_t request, fuse_ino_t inode, const char* name) {
  if (refuse_foreign_class(request, name)) return;
  Requests::of(request).start(
      request, [inode, name = std::string(name)](Filesystem& fs) { return fs.remove_xattr(inode, name); }, reply_done);
}

}  // namespace

void add_xattr_operations(fuse_lowlevel_ops& operations) {
  operations.getxattr = getxattr;
  operations.listxattr = listxattr;
  operations.setxattr = setxattr;
  operations.removexattr = removexattr;
}

}  // namespace mendfs::fuse
