// The segment files: where the next record goes, writing it, and making what was written durable.
//
// Records are appended to the newest segment; when it is full, or after a recovery, the next is begun. A segment never
// changes otherwise. Write-outs are shared: whoever asks while one is running waits for the next. While little is
// written between them the file is extended with zeros ahead, so that a write-out is of data alone, not of the file's
// size and places too.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/buffer.h"
#include "base/error.h"
#include "dataserver/store/record_format.h"
#include "env/env.h"
#include "env/future.h"
#include "env/task.h"

namespace mendfs::store {

constexpr const char* kSegmentDirectory = "segments";
std::string segment_file_name(SegmentNumber number);
/// The number in a name without its directory; nothing when it is no segment's.
std::optional<SegmentNumber> parse_segment_name(std::string_view name);

class SegmentLog {
 public:
  SegmentLog(Env& env, std::uint64_t segment_size) : env_(env), segment_size_(segment_size), synced_(env.loop) {}

  /// The first append begins segment `next`. `previous_end`: of the segment before it; all up to there is durable.
  void start(const Generation& generation, SegmentNumber next, Position previous_end);

  /// Makes room for `size` bytes at the position it returns, in a new segment if need be.
  Result<Position> prepare(std::uint64_t size);
  /// Writes at the position prepare() gave. After an error nothing of it counts.
  Result<void> write(std::span<const ByteView> pieces);
  Position end() const { return end_; }
  Position durable() const { return durable_; }

  /// Ends once everything written before the call is durable.
  Task<Result<Position>> sync();
  /// The same at once, blocking: for the little that came since the last sync(). Busy when a new segment's name is not
  /// yet durable, which only sync() can change.
  Result<void> sync_now();

  /// For reading; stays readable while held, even when removed.
  Result<std::shared_ptr<File>> file(SegmentNumber number);
  Result<void> remove(SegmentNumber number);
  /// Whether no more is written to it.
  bool closed(SegmentNumber number) const { return number != segment_of(end_) || current_ == nullptr; }

 private:
  struct Unsynced {
    SegmentNumber number = 0;
    std::shared_ptr<File> file;
  };
  Result<void> begin_segment();
  void extend_with_zeros();
  Task<void> run_sync();
  Task<Result<void>> write_out(std::vector<Unsynced> files);
  void close_current();

  Env& env_;
  std::uint64_t segment_size_;
  Generation generation_;
  Position previous_end_ = 0;
  std::shared_ptr<File> current_;
  Position end_ = 0;
  std::uint64_t written_since_writeback_ = 0;
  std::uint64_t zeros_end_ = 0;  // of the current file, if it is longer than what was written
  Position last_sync_ = 0;       // what the last write-out covered
  int small_syncs_ = 0;          // in a row

  Position durable_ = 0;
  std::vector<Unsynced> unsynced_;
  bool new_names_ = false;  // in the directory, not yet durable
  bool syncing_ = false;
  std::vector<Unsynced> in_flight_;  // files and names of the write-out under way
  bool names_in_flight_ = false;
  std::optional<Error> failure_;
  Signal synced_;

  struct OpenFile {
    SegmentNumber number = 0;
    std::shared_ptr<File> file;
  };
  std::list<OpenFile> open_files_;  // most recently used first
  Scope scope_;
};

}  // namespace mendfs::store
