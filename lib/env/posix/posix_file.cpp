#include "env/posix/posix_file.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>
#include <vector>

namespace mendfs {
namespace {

/// Files are extended by up to so much with written zeros: their small syncs then write no metadata (79 us instead of
/// 145). Beyond it they only get their space, as their bytes would be written twice.
constexpr std::uint64_t kZeroedSizeMax = 16u << 20;

/// A fetch from the device brings the bytes around those asked for too, as for a mapped file: it costs little more, and
/// what is read at random places of a file soon needs them.
constexpr std::uint64_t kReadAround = 128u << 10;

Error failure(const char* operation, const std::string& name) {
  const int error_number = errno;
  return error_from_errno(error_number, fmt::format("{} {}", operation, name));
}

/// Reads until `size` bytes or the end of the file; negative: errno says why.
ssize_t read_fully(int descriptor, std::byte* target, std::size_t size, std::uint64_t offset) {
  std::size_t done = 0;
  while (done < size) {
    const ssize_t count = ::pread(descriptor, target + done, size - done, static_cast<off_t>(offset + done));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return count;
    if (count == 0) break;
    done += static_cast<std::size_t>(count);
  }
  return static_cast<ssize_t>(done);
}

/// Takes `written` bytes off the front of the pieces still to be written.
void consume(std::span<iovec>& pieces, std::size_t written) {
  while (!pieces.empty() && written >= pieces.front().iov_len) {
    written -= pieces.front().iov_len;
    pieces = pieces.subspan(1);
  }
  if (pieces.empty()) return;
  pieces.front().iov_base = static_cast<std::byte*>(pieces.front().iov_base) + written;
  pieces.front().iov_len -= written;
}

Result<void> sync_descriptor(const FileDescriptor& descriptor, const std::string& name) {
  if (::fdatasync(descriptor.get()) != 0) return failure("sync", name);
  return {};
}

}  // namespace

PosixFile::PosixFile(Loop& loop, ThreadPool& threads, FileDescriptor descriptor, std::string name)
    : loop_(loop),
      threads_(threads),
      descriptor_(std::make_shared<FileDescriptor>(std::move(descriptor))),
      name_(std::move(name)) {}

Result<void> PosixFile::write(std::uint64_t offset, std::span<const ByteView> pieces) {
  std::vector<iovec> vectors;
  vectors.reserve(pieces.size());
  for (const ByteView& piece : pieces) vectors.push_back({const_cast<std::byte*>(piece.data()), piece.size()});
  std::span<iovec> rest = vectors;
  consume(rest, 0);
  while (!rest.empty()) {
    const int count = static_cast<int>(std::min<std::size_t>(rest.size(), IOV_MAX));
    const ssize_t written = ::pwritev(descriptor_->get(), rest.data(), count, static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return failure("write", name_);
    offset += static_cast<std::uint64_t>(written);
    consume(rest, static_cast<std::size_t>(written));
  }
  return {};
}

/// What the page cache has of `buffer`, from its beginning; an error counts as nothing. Sets `ended` at the end of
/// file.
std::size_t PosixFile::copy_cached(std::uint64_t offset, Buffer& buffer, bool& ended) const {
  iovec all{buffer.writable().data(), buffer.size()};
  const ssize_t count = ::preadv2(descriptor_->get(), &all, 1, static_cast<off_t>(offset), RWF_NOWAIT);
  ended = count == 0;
  return count > 0 ? static_cast<std::size_t>(count) : 0;
}

std::optional<Buffer> PosixFile::read_cached(std::uint64_t offset, std::size_t size) {
  Buffer buffer = Buffer::allocate(size);
  bool ended = false;
  const std::size_t done = copy_cached(offset, buffer, ended);
  if (done == size || ended) return buffer.slice(0, done);
  return std::nullopt;
}

void PosixFile::will_need(std::uint64_t offset, std::size_t size) {
  const std::uint64_t begin = offset / kReadAround * kReadAround;
  const std::uint64_t end = (offset + size + kReadAround - 1) / kReadAround * kReadAround;
  (void)::posix_fadvise(descriptor_->get(), static_cast<off_t>(begin), static_cast<off_t>(end - begin),
                        POSIX_FADV_WILLNEED);
}

Task<Result<Buffer>> PosixFile::read(std::uint64_t offset, std::size_t size) {
  Buffer buffer = Buffer::allocate(size);
  // What the page cache has is copied at once; an error here is met again, and reported, by the thread.
  bool ended = false;
  const std::size_t done = copy_cached(offset, buffer, ended);
  if (done == size || ended) co_return buffer.slice(0, done);

  std::function<Result<Buffer>()> job = [descriptor = descriptor_, name = name_, buffer, offset, done]() mutable {
    const std::span<std::byte> rest = buffer.writable().subspan(done);
    const ssize_t count = read_fully(descriptor->get(), rest.data(), rest.size(), offset + done);
    if (count < 0) return Result<Buffer>(failure("read", name));
    return Result<Buffer>(buffer.slice(0, done + static_cast<std::size_t>(count)));
  };
  co_return co_await run_on(threads_, loop_, std::move(job));
}

Result<Buffer> PosixFile::read_now(std::uint64_t offset, std::size_t size) {
  Buffer buffer = Buffer::allocate(size);
  const ssize_t count = read_fully(descriptor_->get(), buffer.writable().data(), size, offset);
  if (count < 0) return failure("read", name_);
  return buffer.slice(0, static_cast<std::size_t>(count));
}

Task<Result<void>> PosixFile::sync() {
  std::function<Result<void>()> job = [descriptor = descriptor_, name = name_] {
    return sync_descriptor(*descriptor, name);
  };
  co_return co_await run_on(threads_, loop_, std::move(job));
}

Result<void> PosixFile::sync_now() { return sync_descriptor(*descriptor_, name_); }

Result<std::uint64_t> PosixFile::size() {
  struct stat status {};
  if (::fstat(descriptor_->get(), &status) != 0) return failure("stat", name_);
  return static_cast<std::uint64_t>(status.st_size);
}

Result<void> PosixFile::truncate(std::uint64_t size) {
  if (::ftruncate(descriptor_->get(), static_cast<off_t>(size)) != 0) return failure("truncate", name_);
  return {};
}

Result<void> PosixFile::preallocate(std::uint64_t size) {
  MENDFS_TRY(const std::uint64_t present, this->size());
  if (size <= present) return {};
  int error_number = 0;
  do {
    error_number =
        ::posix_fallocate(descriptor_->get(), static_cast<off_t>(present), static_cast<off_t>(size - present));
  } while (error_number == EINTR);
  if (error_number != 0) return error_from_errno(error_number, fmt::format("reserve space for {}", name_));
  if (size - present <= kZeroedSizeMax) return write_zeros(present, size);
  return {};
}

Result<void> PosixFile::write_zeros(std::uint64_t begin, std::uint64_t end) {
  static constexpr std::array<std::byte, 64 << 10> kZeros{};
  while (begin < end) {
    const std::size_t count = static_cast<std::size_t>(std::min<std::uint64_t>(kZeros.size(), end - begin));
    const std::array<ByteView, 1> piece{ByteView(kZeros).first(count)};
    MENDFS_TRY_VOID(write(begin, piece));
    begin += count;
  }
  return {};
}

void PosixFile::start_writeback() {
  // On a thread: it blocks while the device's queue is full.
  threads_.submit(
      [descriptor = descriptor_] { (void)::sync_file_range(descriptor->get(), 0, 0, SYNC_FILE_RANGE_WRITE); });
}

}  // namespace mendfs
