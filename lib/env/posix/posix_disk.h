// Files in a directory of this machine. Quick calls are made on the loop thread; what may wait for the device (a read
// that is not in the page cache, a sync) goes to a few threads and is answered on the loop.
#pragma once

#include <memory>
#include <string>

#include "env/disk.h"
#include "env/loop.h"

namespace mendfs {

class FileDescriptor;
class ThreadPool;

class PosixDisk final : public Disk {
 public:
  /// Makes `directory` if it is missing, and locks it for this process until destroyed (a file named "lock", which
  /// does not show in list()). Busy when another process has it for longer than a killed one takes to end.
  static Result<std::unique_ptr<PosixDisk>> open(Loop& loop, const std::string& directory);
  ~PosixDisk() override;

  Result<std::unique_ptr<File>> open(const std::string& name, OpenMode mode) override;
  Result<void> remove(const std::string& name) override;
  Result<void> rename(const std::string& from, const std::string& to) override;
  Result<std::vector<DirectoryEntry>> list(const std::string& directory) override;
  Result<void> make_directory(const std::string& name) override;
  Task<Result<void>> sync_directory(const std::string& directory) override;
  Result<DiskSpace> space() override;
  std::string boot_id() override;

 private:
  PosixDisk(Loop& loop, std::string directory, FileDescriptor root, FileDescriptor lock);
  std::string where(const std::string& name) const;

  Loop& loop_;
  std::string directory_;
  std::unique_ptr<FileDescriptor> root_;
  std::unique_ptr<FileDescriptor> lock_;
  std::unique_ptr<ThreadPool> threads_;
};

}  // namespace mendfs
