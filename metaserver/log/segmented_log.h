// The command log of a single metaserver: segments in one folder of its disk (log_format.h).
//
// A segment gets its name once it is whole and all entries before it are durable, so damage anywhere but in the last
// segment is always a loss and stops the server; in the last one, damage at or below the greatest recorded sync point
// does. What a power cut left above it is dropped, and appends go on in a new segment.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/logger.h"
#include "env/disk.h"
#include "env/future.h"
#include "env/loop.h"
#include "env/random.h"
#include "metaserver/log/log.h"
#include "metaserver/log/log_format.h"

namespace mendfs::metaserver {

constexpr std::uint64_t kLogSegmentSizeDefault = 16u << 20;

class SegmentedLog : public CommandLog {
 public:
  struct Options {
    std::string directory = "log";
    std::uint64_t segment_size = kLogSegmentSizeDefault;
  };
  /// The parts of the world it uses; they outlive it.
  struct World {
    Loop& loop;
    Disk& disk;
    Random& random;
    Logger& log;
  };

  /// Opens the log, making it if the folder is empty. Corruption names file and offset of damage that may not be
  /// dropped.
  static Task<Result<std::unique_ptr<SegmentedLog>>> open(World world, Options options);

  Task<Result<void>> append(LogIndex first, std::vector<std::string> entries) override;
  Task<Result<void>> sync(LogIndex index) override;
  Result<void> sync_now() override;
  LogIndex accepted() const override { return accepted_; }
  LogIndex durable() const override { return durable_; }
  LogIndex first() const override;
  Result<std::vector<LogEntry>> read(LogIndex from, std::size_t size_max) override;
  Task<Result<void>> trim(LogIndex below) override;

 private:
  struct Segment {
    LogSegmentHeader header;
    std::shared_ptr<File> file;
    std::uint64_t end = kLogHeaderSize;  // where the next frame goes
  };
  /// Where a reader stands: entry `index` is at `offset` of its segment.
  struct Place {
    std::uint64_t segment = 0;
    LogIndex index = 0;
    std::uint64_t offset = 0;
  };

  SegmentedLog(World world, Options options)
      : world_(world), options_(std::move(options)), synced_(world.loop), prepared_(world.loop) {}

  Result<void> recover();
  Result<Segment> open_segment(std::uint64_t number);
  Result<void> scan(Segment& segment, std::optional<LogIndex> last);
  Result<void> judge_tail(const Segment& segment, ByteView content);
  Task<Result<void>> begin_segment();
  Task<Result<void>> prepare_next();
  Task<void> prepare_next_early();
  Error fail(Error error);
  std::string path_of(std::uint64_t number) const { return options_.directory + "/" + log_segment_name(number); }

  World world_;
  Options options_;
  std::map<std::uint64_t, Segment> segments_;  // by number; the last is written to
  LogIndex accepted_ = 0;
  LogIndex durable_ = 0;
  std::uint64_t previous_ = 0;  // checksum of the last frame
  bool tail_dropped_ = false;   // the last segment holds bytes beyond its end: never write there
  bool syncing_ = false;
  Signal synced_;
  std::shared_ptr<File> next_;  // zeros, durable, to become the next segment
  bool next_tried_ = false;     // to make it early, since the present segment began
  bool preparing_ = false;
  Signal prepared_;
  std::optional<Error> failed_;  // once set, nothing is known about what is on the device
  std::optional<Place> reader_;
  Scope scope_;  // last: its coroutines use all of the above
};

}  // namespace mendfs::metaserver
