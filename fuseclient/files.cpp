// Open files: bytes in, bytes out.
#include <fcntl.h>

#include <utility>

#include "fuseclient/convert.h"
#include "fuseclient/operations.h"
#include "fuseclient/requests.h"
#include "fuseclient/session.h"

namespace mendfs::fuse {
namespace {

using client::Filesystem;

void reply_done(fuse_req_t request) { fuse_reply_err(request, 0); }

void open(fuse_req_t request, fuse_ino_t inode, fuse_file_info* file) {
  Requests::of(request).start(
      request, [inode, flags = to_open_flags(file->flags)](Filesystem& fs) { return fs.open(inode, flags); },
      [file = *file](fuse_req_t opened_for, const client::Opened& opened) mutable {
        Filesystem& fs = Requests::of(opened_for).filesystem();
        file.fh = opened.handle;
        file.keep_cache = opened.keep_cache;
        // Who only reads has nothing to deliver, and closes without asking.
        file.noflush = (file.flags & O_ACCMODE) == O_RDONLY;
        // -ENOENT: the open was interrupted, and no release will come.
        if (fuse_reply_open(opened_for, &file) == -ENOENT) fs.release(opened.handle);
      });
}

void read(fuse_req_t request, fuse_ino_t, std::size_t size, off_t offset, fuse_file_info* file) {
  Requests::of(request).start(
      request,
      [handle = file->fh, size, offset](Filesystem& fs) {
        return fs.read(handle, static_cast<std::uint64_t>(offset), static_cast<std::uint32_t>(size));
      },
      [](fuse_req_t answered, const Buffer& bytes) {
        fuse_reply_buf(answered, reinterpret_cast<const char*>(bytes.data()), bytes.size());
      });
}

void write(fuse_req_t request, fuse_ino_t inode, const char* bytes, std::size_t size, off_t offset,
           fuse_file_info* file) {
  Session& session = Session::of(request);
  const client::WriteFlags flags{.from_page_cache = file->writepage != 0};
  session.hasher().prepare(
      inode, static_cast<std::uint64_t>(offset), session.keep(bytes, size), client::block_size_of(file->fh),
      [request, handle = file->fh, flags](client::PreparedWrite prepared) {
        Requests::of(request).start(
            request,
            [handle, flags, &prepared](Filesystem& fs) { return fs.write(handle, std::move(prepared), flags); },
            [](fuse_req_t answered, std::uint32_t written) { fuse_reply_write(answered, written); });
      });
}

void flush(fuse_req_t request, fuse_ino_t, fuse_file_info* file) {
  Requests::of(request).start(
      request, [handle = file->fh](Filesystem& fs) { return fs.flush(handle); }, reply_done);
}

void fsync(fuse_req_t request, fuse_ino_t, int data_only, fuse_file_info* file) {
  Requests::of(request).start(
      request, [handle = file->fh, data_only](Filesystem& fs) { return fs.fsync(handle, data_only != 0); }, reply_done);
}

void release(fuse_req_t request, fuse_ino_t, fuse_file_info* file) {
  Requests::of(request).do_now([request, handle = file->fh](Filesystem& fs) {
    fs.release(handle);
    reply_done(request);
  });
}

void fallocate(fuse_req_t request, fuse_ino_t, int mode, off_t offset, off_t length, fuse_file_info* file) {
  Result<client::AllocateMode> known = to_allocate_mode(mode);
  if (!known.ok()) {
    Requests::of(request).refuse(request, known.error());
    return;
  }
  Requests::of(request).start(
      request,
      [handle = file->fh, allocate = *known, offset, length](Filesystem& fs) {
        return fs.allocate(handle, allocate, static_cast<std::uint64_t>(offset), static_cast<std::uint64_t>(length));
      },
      reply_done);
}

}  // namespace

void add_file_operations(fuse_lowlevel_ops& operations) {
  operations.open = open;
  operations.read = read;
  operations.write = write;
  operations.flush = flush;
  operations.fsync = fsync;
  operations.release = release;
  operations.fallocate = fallocate;
}

}  // namespace mendfs::fuse
