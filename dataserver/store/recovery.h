// Opening: what the segments, the superblock and the index say is brought together again after whatever happened.
//
// The index remembers a position of the log; what lies behind it is read again (twice: first the heads alone, to learn
// how far the log was durable, then everything). Bytes that are no record are judged by where they lie:
//
//   before the newest recorded sync point       damage: every range is marked incomplete, and mended by a rebuild
//   behind it, after a reboot of the machine    a write that the power cut tore: discarded
//   behind it, and the file ends within it      a write that a kill tore: discarded
//   behind it otherwise                         damage
//
// Then a void record is laid over them, so that they are judged once. A segment ends where only zeros follow
// (segment_tail.h); the rest of its file is cut off.
#pragma once

#include <map>
#include <memory>
#include <string_view>
#include <vector>

#include "dataserver/store/block_store.h"
#include "dataserver/store/segment_reader.h"
#include "dataserver/store/store_parts.h"

namespace mendfs::store {

class StoreRecovery {
 public:
  StoreRecovery(StoreParts& parts, bool index_is_damaged) : parts_(parts), index_is_damaged_(index_is_damaged) {}

  Task<Result<Recovery>> run();

 private:
  struct Gap {
    Position position = 0;
    std::uint64_t size = 0;
    bool unfinished = false;  // see FoundRecord
  };

  Task<Result<void>> open_superblock();
  Task<Result<void>> find_segments();
  Result<void> open_index();
  Result<void> reset_index(std::string_view why);
  Result<void> read_checkpoint();
  /// Whether the index may name what a power cut has taken, or what is gone.
  std::string_view why_index_is_unusable() const;
  Result<void> adopt_summaries();
  Task<Result<void>> survey();
  Task<Result<void>> survey_segment(SegmentNumber number);
  Result<void> note_begin(const FoundRecord& record);
  bool expect_segment_before(Position end);
  void expect_end(Position end);
  Task<Result<void>> replay();
  Task<Result<void>> replay_segment(SegmentNumber number);
  Task<Result<void>> replay_run(SegmentReader* reader, FoundRecord record);
  Result<void> replay_cuts(const FoundRecord& record);
  bool is_torn(const Gap& gap) const;
  Task<Result<void>> judge_gaps();
  Result<void> close_gap(const Gap& gap);
  Position kept_until() const;
  Task<Result<void>> finish();
  std::uint32_t first_offset(SegmentNumber number) const;
  Result<std::shared_ptr<File>> open_segment(SegmentNumber number);
  bool log_progress(std::string_view what, SegmentNumber number);
  Uuid random_id();

  StoreParts& parts_;
  bool index_is_damaged_;
  Recovery recovery_;
  std::map<SegmentNumber, std::uint64_t> sizes_;   // of the files there are, without the zeros behind the last record
  std::map<SegmentNumber, SegmentSummary> known_;  // as of the index's last flush
  Position replay_from_ = 0;
  Position durable_ = 0;                           // newest known sync point
  Position last_intact_ = 0;                       // position of the last intact record
  std::map<SegmentNumber, Position> intact_ends_;  // of the last intact record of each segment surveyed
  Position unknown_from_ = UINT64_MAX;  // where a segment is gone that compaction or a power cut may have removed
  std::vector<Gap> gaps_;
  Time progress_logged_{};
  std::uint64_t records_seen_ = 0;
};

}  // namespace mendfs::store
