// Attributes of inodes, and of the whole filesystem.
#include "fuseclient/convert.h"
#include "fuseclient/operations.h"
#include "fuseclient/requests.h"

namespace mendfs::fuse {
namespace {

using client::Filesystem;

void reply_attributes(fuse_req_t request, const protocol::Attributes& attributes) {
  const struct stat status = to_stat(attributes);
  const bool keep = Requests::of(request).filesystem().may_keep(attributes);
  fuse_reply_attr(request, &status, keep ? kUntilTold : 0);
}

void getattr(fuse_req_t request, fuse_ino_t inode, fuse_file_info*) {
  Requests::of(request).start(
      request, [inode](Filesystem& fs) { return fs.get_attributes(inode); }, reply_attributes);
}

void setattr(fuse_req_t request, fuse_ino_t inode, struct stat* wanted, int to_set, fuse_file_info*) {
  Requests::of(request).start(
      request,
      [change = to_set_attributes(inode, *wanted, to_set)](Filesystem& fs) { return fs.set_attributes(change); },
      reply_attributes);
}

void statfs(fuse_req_t request, fuse_ino_t) {
  Requests::of(request).start(
      request, [](Filesystem& fs) { return fs.statfs(); },
      [](fuse_req_t answered, const protocol::StatFsReply& reply) {
        const struct statvfs status = to_statvfs(reply);
        fuse_reply_statfs(answered, &status);
      });
}

}  // namespace

void add_attribute_operations(fuse_lowlevel_ops& operations) {
  operations.getattr = getattr;
  operations.setattr = setattr;
  operations.statfs = statfs;
}

}  // namespace mendfs::fuse
