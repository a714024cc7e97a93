// Names: look-up, making, removing, linking, renaming.
#include <string>
#include <utility>

#include "fuseclient/convert.h"
#include "fuseclient/operations.h"
#include "fuseclient/requests.h"

namespace mendfs::fuse {
namespace {

using client::Filesystem;
using protocol::Attributes;

/// Answers with the inode behind a name.
auto reply_entry(fuse_ino_t parent, std::string name) {
  return [parent, name = std::move(name)](fuse_req_t request, const Attributes& attributes) {
    const Keep keep = keep_of(Requests::of(request).filesystem(), parent, name, attributes);
    const fuse_entry_param entry = to_entry(attributes, keep);
    fuse_reply_entry(request, &entry);
  };
}

void reply_done(fuse_req_t request) { fuse_reply_err(request, 0); }

void lookup(fuse_req_t request, fuse_ino_t parent, const char* name) {
  Requests::of(request).start(
      request, [parent, name = std::string(name)](Filesystem& fs) { return fs.lookup(parent, name); },
      reply_entry(parent, name));
}

// Inodes are known by their number alone: there is nothing to forget.
void forget(fuse_req_t request, fuse_ino_t, std::uint64_t) { fuse_reply_none(request); }
void forget_multi(fuse_req_t request, std::size_t, fuse_forget_data*) { fuse_reply_none(request); }

protocol::MakeRequest make_request(fuse_req_t request, fuse_ino_t parent, const char* name, mode_t mode) {
  protocol::MakeRequest make;
  make.parent = parent;
  make.name = name;
  make.mode = mode;
  make.uid = fuse_req_ctx(request)->uid;
  make.gid = fuse_req_ctx(request)->gid;
  return make;
}

void start_make(fuse_req_t request, protocol::MakeRequest make) {
  auto reply = reply_entry(make.parent, make.name);
  Requests::of(request).start(
      request, [make = std::move(make)](Filesystem& fs) { return fs.make(make); }, std::move(reply));
}

void mknod(fuse_req_t request, fuse_ino_t parent, const char* name, mode_t mode, dev_t rdev) {
  protocol::MakeRequest make = make_request(request, parent, name, mode);
  make.rdev = rdev;
  start_make(request, std::move(make));
}

void mkdir(fuse_req_t request, fuse_ino_t parent, const char* name, mode_t mode) {
  start_make(request, make_request(request, parent, name, S_IFDIR | (mode & 07777)));
}

void symlink(fuse_req_t request, const char* target, fuse_ino_t parent, const char* name) {
  protocol::MakeRequest make = make_request(request, parent, name, S_IFLNK | 0777);
  make.symlink_target = target;
  start_make(request, std::move(make));
}

void create(fuse_req_t request, fuse_ino_t parent, const char* name, mode_t mode, fuse_file_info* file) {
  const bool exclusive = (file->flags & O_EXCL) != 0;
  Requests::of(request).start(
      request,
      [make = make_request(request, parent, name, S_IFREG | (mode & 07777)),
       flags = to_open_flags(file->flags)](Filesystem& fs) { return fs.create(make, flags); },
      [file = *file, parent, name = std::string(name)](fuse_req_t created, const client::Opened& opened) mutable {
        Filesystem& fs = Requests::of(created).filesystem();
        file.fh = opened.handle;
        file.keep_cache = opened.keep_cache;
        const fuse_entry_param entry = to_entry(opened.attributes, keep_of(fs, parent, name, opened.attributes));
        // -ENOENT: the open was interrupted, and no release will come.
        if (fuse_reply_create(created, &entry, &file) == -ENOENT) fs.release(opened.handle);
      },
      // Another mount was faster. ESTALE makes the kernel look again, check permissions and open what is there.
      exclusive ? OnExists::Refuse : OnExists::LookAgain);
}

void start_remove(fuse_req_t request, fuse_ino_t parent, const char* name, bool directory) {
  protocol::RemoveRequest remove;
  remove.parent = parent;
  remove.name = name;
  remove.directory = directory;
  Requests::of(request).start(
      request, [remove = std::move(remove)](Filesystem& fs) { return fs.remove(remove); }, reply_done);
}

void unlink(fuse_req_t request, fuse_ino_t parent, const char* name) { start_remove(request, parent, name, false); }
void rmdir(fuse_req_t request, fuse_ino_t parent, const char* name) { start_remove(request, parent, name, true); }

void link(fuse_req_t request, fuse_ino_t inode, fuse_ino_t new_parent, const char* new_name) {
  protocol::LinkRequest link_request;
  link_request.inode = inode;
  link_request.parent = new_parent;
  link_request.name = new_name;
  Requests::of(request).start(
      request, [link_request = std::move(link_request)](Filesystem& fs) { return fs.link(link_request); },
      reply_entry(new_parent, new_name));
}

void rename(fuse_req_t request, fuse_ino_t parent, const char* name, fuse_ino_t new_parent, const char* new_name,
            unsigned flags) {
  protocol::RenameRequest rename_request;
  rename_request.parent = parent;
  rename_request.name = name;
  rename_request.new_parent = new_parent;
  rename_request.new_name = new_name;
  if (Result<void> known = set_rename_flags(flags, rename_request); !known.ok()) {
    Requests::of(request).refuse(request, known.error());
    return;
  }
  Requests::of(request).start(
      request, [rename_request = std::move(rename_request)](Filesystem& fs) { return fs.rename(rename_request); },
      reply_done);
}

void readlink(fuse_req_t request, fuse_ino_t inode) {
  Requests::of(request).start(
      request, [inode](Filesystem& fs) { return fs.read_link(inode); },
      [](fuse_req_t answered, const std::string& target) { fuse_reply_readlink(answered, target.c_str()); });
}

}  // namespace

void add_name_operations(fuse_lowlevel_ops& operations) {
  operations.lookup = lookup;
  operations.forget = forget;
  operations.forget_multi = forget_multi;
  operations.mknod = mknod;
  operations.mkdir = mkdir;
  operations.symlink = symlink;
  operations.create = create;
  operations.unlink = unlink;
  operations.rmdir = rmdir;
  operations.link = link;
  operations.rename = rename;
  operations.readlink = readlink;
}

}  // namespace mendfs::fuse
