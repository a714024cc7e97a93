// One open file of PosixDisk.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "env/disk.h"
#include "env/loop.h"
#include "env/posix/file_descriptor.h"
#include "env/posix/thread_pool.h"

namespace mendfs {

class PosixFile final : public File {
 public:
  /// `name` is for messages. Jobs under way keep the descriptor open, so the file may be destroyed at any time.
  PosixFile(Loop& loop, ThreadPool& threads, FileDescriptor descriptor, std::string name);

  Result<void> write(std::uint64_t offset, std::span<const ByteView> pieces) override;
  Task<Result<Buffer>> read(std::uint64_t offset, std::size_t size) override;
  std::optional<Buffer> read_cached(std::uint64_t offset, std::size_t size) override;
  void will_need(std::uint64_t offset, std::size_t size) override;
  Result<Buffer> read_now(std::uint64_t offset, std::size_t size) override;
  Task<Result<void>> sync() override;
  Result<void> sync_now() override;
  Result<std::uint64_t> size() override;
  Result<void> truncate(std::uint64_t size) override;
  Result<void> preallocate(std::uint64_t size) override;
  void start_writeback() override;

 private:
  std::size_t copy_cached(std::uint64_t offset, Buffer& buffer, bool& ended) const;
  Result<void> write_zeros(std::uint64_t begin, std::uint64_t end);

  Loop& loop_;
  ThreadPool& threads_;
  std::shared_ptr<FileDescriptor> descriptor_;
  std::string name_;
};

}  // namespace mendfs
