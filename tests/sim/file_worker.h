// A user of one mount who writes, reads, syncs, cuts and reopens files of its
// own, and checks all it reads against the oracle; other mounts read the same
// files through Reader.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "client/filesystem.h"
#include "env/env.h"
#include "tests/sim/file_model.h"
#include "tests/sim/world/random.h"

namespace mendfs::sim {

/// What all users of one run share: the files with their oracles, and the first
/// thing that went wrong.
struct Journal {
  struct File {
    std::string name;  // in the root directory
    InodeNumber inode = 0;
    FileModel model{kBlockSizeDefault};
    /// The writer is gone: what it had not settled stays in doubt.
    bool abandoned = false;
  };
  std::vector<std::unique_ptr<File>> files;
  std::string failure;  // empty: none
  /// Stores that lost power or everything. After two, an fsync may find that every holder of its bytes has changed, and
  /// has to say so.
  std::uint64_t resets = 0;

  std::uint64_t writes = 0;
  std::uint64_t reads = 0;
  std::uint64_t syncs = 0;
  std::uint64_t cuts = 0;

  void fail(std::string what) {
    if (failure.empty()) failure = std::move(what);
  }
};

struct WorkerOptions {
  std::uint32_t file_count = 2;
  std::uint32_t operation_count = 120;
  std::uint64_t file_size_max = 24 * 1024;
  /// Writes cover whole blocks: needed when in-doubt values may be written
  /// over.
  bool aligned = false;
  Duration pause_max = std::chrono::milliseconds(200);
};

class FileWorker {
 public:
  FileWorker(Env& env, client::Filesystem& filesystem, Journal& journal, std::string name, std::uint64_t seed,
             WorkerOptions options);
  FileWorker(const FileWorker&) = delete;
  FileWorker& operator=(const FileWorker&) = delete;
  /// Leaves its files to whoever comes later.
  ~FileWorker();

  /// Ends after its operations, with all files closed, or at the first failure.
  Task<void> run();
  bool finished() const { return finished_; }
  /// What it is doing, for the report of a run that does not end.
  const std::string& doing() const { return doing_; }

 private:
  struct Mine {
    Journal::File* file;
    client::HandleId handle = 0;
    std::uint64_t resets_at_sync = 0;  // as counted when all was durable last
  };
  Task<bool> create(std::uint32_t index);
  Task<bool> step(Mine& mine);
  Task<bool> write(Mine& mine);
  Task<bool> read(Mine& mine);
  Task<bool> sync(Mine& mine);
  Task<bool> flush(Mine& mine);
  Task<bool> truncate(Mine& mine);
  Task<bool> reopen(Mine& mine);
  Task<bool> rename(Mine& mine);
  void begin(std::string what);
  bool failed(const Mine& mine, const char* what, const Error& error);

  Loop& loop_;
  Logger& log_;
  client::Filesystem& filesystem_;
  Journal& journal_;
  std::string name_;
  SimRandom random_;
  WorkerOptions options_;
  std::vector<Mine> mine_;
  std::uint64_t renames_ = 0;
  bool finished_ = false;
  std::string doing_ = "nothing yet";
};

/// Opens a file by name on any mount, reads it whole and checks it. False: it
/// failed, and the journal says how.
Task<bool> check_file(client::Filesystem& filesystem, Journal& journal, Journal::File& file, std::string reader);

}  // namespace mendfs::sim
