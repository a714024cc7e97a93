// Open directories.
#include <memory>
#include <string>

#include "fuseclient/directory_stream.h"
#include "fuseclient/operations.h"
#include "fuseclient/requests.h"

namespace mendfs::fuse {
namespace {

using client::Filesystem;

DirectoryStream* stream_of(const fuse_file_info* file) { return reinterpret_cast<DirectoryStream*>(file->fh); }

void opendir(fuse_req_t request, fuse_ino_t inode, fuse_file_info* file) {
  // The kernel keeps the pointer until releasedir.
  auto stream = std::make_unique<DirectoryStream>(inode);
  file->fh = reinterpret_cast<std::uint64_t>(stream.get());
  // -ENOENT: the call was interrupted, and no releasedir will come.
  if (fuse_reply_open(request, file) != -ENOENT) static_cast<void>(stream.release());
}

void start_list(fuse_req_t request, std::size_t size, off_t offset, const fuse_file_info* file, ListForm form) {
  Requests::of(request).start(
      request,
      [request, stream = stream_of(file), offset, size, form](Filesystem& fs) {
        return stream->list(&fs, request, static_cast<std::uint64_t>(offset), size, form);
      },
      [](fuse_req_t answered, const std::string& entries) {
        fuse_reply_buf(answered, entries.data(), entries.size());
      });
}

void readdir(fuse_req_t request, fuse_ino_t, std::size_t size, off_t offset, fuse_file_info* file) {
  start_list(request, size, offset, file, ListForm::Names);
}

void readdirplus(fuse_req_t request, fuse_ino_t, std::size_t size, off_t offset, fuse_file_info* file) {
  start_list(request, size, offset, file, ListForm::NamesWithAttributes);
}

void releasedir(fuse_req_t request, fuse_ino_t, fuse_file_info* file) {
  Requests::of(request).do_now([request, stream = stream_of(file)](Filesystem&) {
    delete stream;
    fuse_reply_err(request, 0);
  });
}

void fsyncdir(fuse_req_t request, fuse_ino_t inode, int, fuse_file_info*) {
  Requests::of(request).start(
      request, [inode](Filesystem& fs) { return fs.sync_directory(inode); },
      [](fuse_req_t answered) { fuse_reply_err(answered, 0); });
}

}  // namespace

void add_directory_operations(fuse_lowlevel_ops& operations) {
  operations.opendir = opendir;
  operations.readdir = readdir;
  operations.readdirplus = readdirplus;
  operations.releasedir = releasedir;
  operations.fsyncdir = fsyncdir;
}

}  // namespace mendfs::fuse
