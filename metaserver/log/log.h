// The command log: every change of the metadata, numbered 1, 2, 3, ..., before it is applied.
//
// One narrow interface, so that what stands behind it can be one server's disk today and a consensus of several later:
// an engine that may lose its right to append says so at append(), and one that knows no difference between "taken" and
// "durable" answers both at once. Entries are opaque bytes. Nothing takes an entry back once it was accepted.
// Loop thread only.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/error.h"
#include "env/task.h"

namespace mendfs::metaserver {

using LogIndex = std::uint64_t;

/// Larger entries are refused: no command of ours comes near.
constexpr std::size_t kLogEntrySizeMax = 4u << 20;

struct LogEntry {
  LogIndex index = 0;
  std::string bytes;
};

class CommandLog {
 public:
  virtual ~CommandLog() = default;

  /// Appends a batch; its first entry gets `first`. Answered when all of it is accepted: it survives a kill of this
  /// process. Stale when `first` is not the next index: somebody else has appended, and the caller's state is behind.
  /// NoSpace, TooBig: nothing of the batch was taken. Io: final, stop the server; the next start shows what was taken.
  /// One at a time.
  virtual Task<Result<void>> append(LogIndex first, std::vector<std::string> entries) = 0;
  /// Answered once every entry up to `index` survives a power cut. An error is final: stop the server.
  /// Requires: index <= accepted().
  virtual Task<Result<void>> sync(LogIndex index) = 0;
  /// sync() of all there is, blocking the loop: for the few entries before a checkpoint.
  virtual Result<void> sync_now() = 0;

  /// The greatest index accepted, and the greatest that survives a power cut; 0: none.
  virtual LogIndex accepted() const = 0;
  virtual LogIndex durable() const = 0;
  /// The least index that read() can still give; accepted() + 1 when there is none.
  virtual LogIndex first() const = 0;

  /// Entries from `from` on, in order: as many as fit `size_max` bytes but at least one, none at the end of the log.
  /// Requires: first() <= from. Blocks the loop: for recovery.
  virtual Result<std::vector<LogEntry>> read(LogIndex from, std::size_t size_max) = 0;
  /// Entries below `below` are covered by a checkpoint and may be forgotten.
  virtual Task<Result<void>> trim(LogIndex below) = 0;
};

}  // namespace mendfs::metaserver
