// Files under one directory, the only way a program keeps anything. Real in lib/env/posix; simulated, with crashes,
// torn writes and full disks, in tests/sim.
//
// What returns a Result at once works on the kernel's page cache and is quick; what may wait for the device is a Task.
// Written bytes survive a kill of the process at once, and a power cut after sync() (of the file) and
// sync_directory() (of its name). Names are relative to the root, with '/' between at most two levels. Loop thread
// only.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/buffer.h"
#include "base/error.h"
#include "env/task.h"

namespace mendfs {

class File {
 public:
  virtual ~File() = default;

  /// Writes the pieces one after the other at `offset`, all of them or an error (NoSpace, Io): after an error any
  /// part of them may be in the file.
  virtual Result<void> write(std::uint64_t offset, std::span<const ByteView> pieces) = 0;
  /// Up to `size` bytes; fewer only at the end of the file.
  virtual Task<Result<Buffer>> read(std::uint64_t offset, std::size_t size) = 0;
  /// The same if it can be had without waiting for the device; nothing otherwise, and after any failure.
  virtual std::optional<Buffer> read_cached(std::uint64_t offset, std::size_t size) = 0;
  /// Begins to fetch what read() will be asked for; promises nothing.
  virtual void will_need(std::uint64_t offset, std::size_t size) = 0;
  /// Like read(), but may block the loop: for recovery and for small hot reads.
  virtual Result<Buffer> read_now(std::uint64_t offset, std::size_t size) = 0;
  /// What was written before the call is on the device afterwards (fdatasync). After an error nothing is known
  /// about un-synced bytes, and never will be: stop the store.
  virtual Task<Result<void>> sync() = 0;
  /// The same, blocking the loop: for the last few bytes before a checkpoint.
  virtual Result<void> sync_now() = 0;
  virtual Result<std::uint64_t> size() = 0;
  virtual Result<void> truncate(std::uint64_t size) = 0;
  /// Reserves space for [0, size) and extends the file with zeros to it, so that later syncs write no metadata.
  virtual Result<void> preallocate(std::uint64_t size) = 0;
  /// Asks the kernel to begin writing what is dirty; promises nothing.
  virtual void start_writeback() = 0;
};

enum class OpenMode {
  Existing,   // NotFound if it does not exist
  CreateNew,  // Exists if it does
  OpenOrCreate,
};

struct DirectoryEntry {
  std::string name;
  bool is_directory = false;
  std::uint64_t size = 0;
};

struct DiskSpace {
  std::uint64_t total_bytes = 0;
  std::uint64_t free_bytes = 0;
};

class Disk {
 public:
  virtual ~Disk() = default;

  virtual Result<std::unique_ptr<File>> open(const std::string& name, OpenMode mode) = 0;
  virtual Result<void> remove(const std::string& name) = 0;
  /// Replaces `to` if it exists.
  virtual Result<void> rename(const std::string& from, const std::string& to) = 0;
  /// Sorted by name; an empty `directory` is the root.
  virtual Result<std::vector<DirectoryEntry>> list(const std::string& directory) = 0;
  /// Fine if it exists.
  virtual Result<void> make_directory(const std::string& name) = 0;
  /// Makes creations, renames and removals in it survive a power cut; an empty name is the root.
  virtual Task<Result<void>> sync_directory(const std::string& directory) = 0;
  virtual Result<DiskSpace> space() = 0;
  /// Identifies this boot of the machine: un-synced bytes may be lost whenever it has changed.
  virtual std::string boot_id() = 0;
};

/// Bytes [offset, offset + size) of a file.
struct Extent {
  std::shared_ptr<File> file;
  std::uint64_t offset = 0;
  std::size_t size = 0;
};

/// Each as its file's read() would give it, but waiting for the device once rather than once for each.
Task<Result<std::vector<Buffer>>> read_all(std::vector<Extent> extents);

/// Replaces a small file atomically and durably: writes `name`.new, syncs it, renames it, syncs the directory.
Task<Result<void>> replace_file(Disk& disk, std::string name, std::string content);
/// The whole of a small file. NotFound; Corruption when larger than `size_max`.
Result<std::string> read_small_file(Disk& disk, const std::string& name, std::size_t size_max);

}  // namespace mendfs
