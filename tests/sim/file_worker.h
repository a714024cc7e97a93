// A user of one mount who writes, reads, syncs, cuts, renames, removes and reopens files of its own, and checks all it
// reads against the oracle; other mounts read the same files through check_file(). When its machine dies, the next one
// takes its files over.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "client/filesystem.h"
#include "env/env.h"
#include "tests/sim/journal.h"
#include "tests/sim/world/random.h"

namespace mendfs::sim {

struct WorkerOptions {
  std::uint32_t file_count = 2;
  std::uint32_t operation_count = 120;
  std::uint64_t file_size_max = 24 * 1024;
  /// Writes cover whole blocks: needed when in-doubt values may be written over.
  bool aligned = false;
  /// Now and then removes a file that it goes on using.
  bool unlinks = false;
  /// Writes may end with NoSpace.
  bool disks_fill = false;
  Duration pause_max = std::chrono::milliseconds(200);
};

/// Files that a dead worker left, and what its mount called itself.
struct Inheritance {
  std::string client;
  Time died{};
  std::vector<Journal::File*> files;
};

class FileWorker {
 public:
  FileWorker(Env& env, client::Filesystem& filesystem, Journal& journal, std::string name, std::uint64_t seed,
             WorkerOptions options);
  FileWorker(const FileWorker&) = delete;
  FileWorker& operator=(const FileWorker&) = delete;

  /// Ends after its operations, with all files closed, or at the first failure.
  Task<void> run(Inheritance inheritance);
  bool finished() const { return finished_; }
  std::uint32_t operations_left() const { return operations_left_; }
  /// What it is doing, for the report of a run that does not end.
  const std::string& doing() const { return doing_; }

  /// Its machine dies now: tells the oracle what is in doubt, and leaves what still has a name. `all_delivered`:
  /// nothing is queued in the mount.
  std::vector<Journal::File*> die(bool all_delivered);

 private:
  struct Mine {
    Journal::File* file;
    client::HandleId handle = 0;
    bool removed = false;     // by us: it has no name any more
    bool lost_bytes = false;  // a write failed, and the size is not known
    /// The metaserver had lost so much when a mode was set that may not be durable.
    std::optional<std::uint64_t> mode_set = std::nullopt;
    bool gone = false;  // removed, and deleted since: the session was lost for a while
  };
  Task<bool> create();
  Task<bool> take_over(Journal::File* file);
  Task<bool> step(Mine& mine);
  Task<bool> step_of(Mine& mine);
  Task<bool> write(Mine& mine);
  Task<bool> read(Mine& mine);
  Task<bool> sync(Mine& mine);
  Task<bool> flush(Mine& mine);
  Task<bool> truncate(Mine& mine);
  Task<bool> change_mode(Mine& mine);
  Task<bool> reopen(Mine& mine);
  Task<bool> rename(Mine& mine);
  Task<bool> unlink(Mine& mine);
  Task<bool> replace(Mine& mine);
  Task<bool> open(Mine& mine);
  Task<bool> resolve(Mine& mine);
  Task<bool> learn_size(Mine& mine);
  Task<std::optional<protocol::Attributes>> find(Journal::File* file);
  void settled(Mine& mine, FileModel::Mark mark, std::uint64_t losses_before);
  void begin(std::string what);
  bool failed(Mine& mine, const char* what, const Error& error);

  Loop& loop_;
  Logger& log_;
  client::Filesystem& filesystem_;
  Journal& journal_;
  std::string name_;
  SimRandom random_;
  WorkerOptions options_;
  std::vector<Mine> mine_;
  std::vector<Journal::File*> inherited_;  // not taken over yet
  std::uint32_t operations_left_;
  std::uint64_t creations_ = 0;
  std::uint64_t renames_ = 0;
  bool must_have_lapsed_ = false;  // or a file of ours should still be there
  bool finished_ = false;
  std::string doing_ = "nothing yet";
};

/// Opens a file by name on any mount, reads it whole and checks it. False: it failed, and the journal says how.
Task<bool> check_file(client::Filesystem& filesystem, Journal& journal, Journal::File& file, std::string reader);

}  // namespace mendfs::sim
