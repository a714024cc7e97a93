// A disk in memory that forgets what real ones forget.
//
// Everything written is there at once and survives a kill. A power cut keeps what was synced; of the rest each 512-byte
// sector and each directory change survives or not as the seed decides, which covers lost, torn and reordered writes.
// The disk belongs to the machine: it outlives the program, and open files of a dead program do no harm.
#pragma once

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "env/disk.h"
#include "tests/sim/world/random.h"
#include "tests/sim/world/scheduler.h"

namespace mendfs::sim {

/// What a test may make fail.
enum class DiskOperation { Open, Write, Read, Sync, Truncate, Preallocate, Remove, Rename, SyncDirectory };

/// A file's bytes, in pages, so that big preallocated files cost nothing; pages never change once shared.
class Pages {
 public:
  static constexpr std::size_t kPageSize = 4096;
  using Page = std::array<std::byte, kPageSize>;
  using PagePointer = std::shared_ptr<const Page>;

  std::uint64_t size() const { return size_; }
  /// End of the last page that was ever written.
  std::uint64_t written_size() const { return pages_.empty() ? 0 : (pages_.rbegin()->first + 1) * kPageSize; }
  void set_size(std::uint64_t size) { size_ = size; }
  /// Nothing: zeros.
  PagePointer page(std::uint64_t index) const;
  void set_page(std::uint64_t index, PagePointer page);
  /// The indices of the pages touched.
  void write(std::uint64_t offset, ByteView bytes, std::set<std::uint64_t>& touched);
  void truncate(std::uint64_t size, std::set<std::uint64_t>& touched);
  Buffer read(std::uint64_t offset, std::size_t size) const;

 private:
  std::map<std::uint64_t, PagePointer> pages_;
  std::uint64_t size_ = 0;
};

/// A file as the disk knows it: as written, and as a power cut would surely leave it.
struct FileNode {
  Pages current;
  Pages durable;
  std::set<std::uint64_t> dirty;   // pages that differ and that a sync will write
  std::set<std::uint64_t> doomed;  // pages whose sync failed: no later sync writes them
  std::uint64_t reserved = 0;      // preallocated bytes
};

class SimDisk : public Disk {
 public:
  /// Answers an error where an operation is to fail. `name` is the file's or directory's name at open.
  using Fault = std::function<std::optional<Error>(DiskOperation operation, const std::string& name)>;

  SimDisk(SimLoop& loop, Scheduler& scheduler, std::uint64_t seed);

  Result<std::unique_ptr<File>> open(const std::string& name, OpenMode mode) override;
  Result<void> remove(const std::string& name) override;
  Result<void> rename(const std::string& from, const std::string& to) override;
  Result<std::vector<DirectoryEntry>> list(const std::string& directory) override;
  Result<void> make_directory(const std::string& name) override;
  Task<Result<void>> sync_directory(const std::string& directory) override;
  Result<DiskSpace> space() override;
  std::string boot_id() override { return boot_id_; }

  void set_fault(Fault fault) { fault_ = std::move(fault); }
  void set_capacity(std::uint64_t bytes) { capacity_ = bytes; }
  std::uint64_t capacity() const { return capacity_; }
  void set_latency(Duration least, Duration most);

  /// Requires: the program is dead.
  void power_cut();
  /// An emptied directory; requires: the program is dead.
  void wipe();

  /// Flips one bit of a file on the platter. False if there is no such byte.
  bool flip_bit(const std::string& name, std::uint64_t offset, unsigned bit);
  std::vector<std::string> file_names() const;
  /// Where the written part ends, to a page: what was only preallocated does not count.
  std::uint64_t written_size(const std::string& name) const;
  std::optional<std::string> content(const std::string& name) const;
  /// Replaces or makes a file, durably: for tests that prepare a disk.
  void put(const std::string& name, std::string_view content);

  /// One operation a line ("write log/1 0+4096", "sync log/1"), for golden tests; empty text when not asked for.
  void record_operations(bool on) { recording_ = on; }
  std::vector<std::string> take_operations() { return std::exchange(operations_, {}); }

 private:
  friend class SimFile;
  using NodePointer = std::shared_ptr<FileNode>;
  struct Change {  // of a directory, not yet durable
    std::string name;
    NodePointer node;                 // nothing: the name goes
    std::optional<std::string> from;  // a rename: this name goes with it
    bool directory = false;
  };

  std::optional<Error> fault(DiskOperation operation, const std::string& name) const;
  void note(const std::string& operation);
  Duration draw_latency();
  std::uint64_t used() const;
  void apply(const Change& change);
  static void settle_after_power_cut(FileNode& node, SimRandom& random, std::uint64_t mode);

  SimLoop& loop_;
  Scheduler& scheduler_;
  SimRandom random_;
  std::map<std::string, NodePointer> files_;
  std::map<std::string, NodePointer> durable_files_;
  std::set<std::string> directories_;
  std::set<std::string> durable_directories_;
  std::vector<Change> changes_;
  Fault fault_;
  std::uint64_t capacity_ = 1ULL << 40;
  Duration latency_min_;
  Duration latency_max_;
  std::string boot_id_;
  bool recording_ = false;
  std::vector<std::string> operations_;
};

}  // namespace mendfs::sim
