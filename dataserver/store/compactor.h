// Gives space back: drops from the index what cuts have killed, writes what still counts of mostly dead segments anew
// at the end of the log, and retires those segments.
//
// A record that cannot be read any more stays where it is, and its segment with it, until it has been repaired.
#pragma once

#include <memory>
#include <set>

#include "base/error.h"
#include "dataserver/store/index_flusher.h"
#include "dataserver/store/run_reader.h"
#include "dataserver/store/segment_reader.h"
#include "dataserver/store/store_parts.h"
#include "env/task.h"

namespace mendfs::store {

class Compactor {
 public:
  Compactor(StoreParts& parts, RunReader& reader, IndexFlusher& flusher)
      : parts_(parts), reader_(reader), flusher_(flusher) {}

  /// Drops index entries of all files with unprocessed cuts.
  Task<Result<void>> trim();
  /// Retires segments that are worth it, which the next index flush removes, until so much has been moved that their
  /// space should be freed first. Answers how many.
  Task<Result<std::size_t>> empty_segments();
  bool worthwhile();

 private:
  void look_at_space();
  Duration breath() const;
  Task<Result<void>> trim_file(InodeNumber inode);
  bool is_worth_emptying(SegmentNumber number, const SegmentSummary& summary) const;
  Task<Result<bool>> empty_segment(SegmentNumber number);
  Task<Result<bool>> move_run(std::shared_ptr<File> file, FoundRecord record);
  Result<void> move_cuts(const FoundRecord& record);

  StoreParts& parts_;
  RunReader& reader_;
  IndexFlusher& flusher_;
  double live_max_ = 0;
  std::set<SegmentNumber> stuck_;  // with live records that cannot be read
};

}  // namespace mendfs::store
