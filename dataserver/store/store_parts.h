// What the parts of a block store share: its files, its index, its counts, and the reason why it works no more.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "dataserver/store/block_store.h"
#include "dataserver/store/cut_table.h"
#include "dataserver/store/record_batch.h"
#include "dataserver/store/run_index.h"
#include "dataserver/store/segment_log.h"
#include "dataserver/store/segment_summary.h"
#include "dataserver/store/space_guard.h"
#include "dataserver/store/superblock.h"
#include "env/env.h"
#include "env/future.h"
#include "env/task.h"

namespace mendfs::store {

/// Saved with each index flush: everything before `position` is durable and in the index.
struct Checkpoint {
  Generation generation;
  Position position = 0;
  std::vector<Watermark> watermarks;
  std::string blob;
  template <class V>
  void fields(V& v) {
    v("generation", generation);
    v("position", position);
    v("watermarks", watermarks);
    v("blob", blob);
  }
};

struct StoreParts {
  StoreParts(Env& environment, StoreOptions given);

  /// The reason of an earlier failure, if any.
  Result<void> usable() const;
  /// From now on everything is refused for this reason. `index_is_damaged`: the next start builds it anew.
  void fail(const Error& why, bool index_is_damaged);
  /// An error of the index ends the store; a damaged one is built anew at the next start.
  template <class T>
  Result<T> checked(Result<T> result) {
    if (!result) fail(result.error(), result.code() == ErrorCode::Corruption);
    return result;
  }

  Task<Result<void>> save_superblock();

  /// Writes a batch as one; a sync record rides in front when there is news.
  Result<void> write(RecordBatch& batch, SpaceUse use);
  /// Makes a written run current where it prevails and no cut hides it.
  Result<void> index_run(const RunHeader& header, Position place);
  /// Replaces a file's cuts, because of the record at `place`.
  Result<void> index_cuts(InodeNumber inode, CutEntry entry, Position place);
  /// Before the key-value store is read beside `index`, or a checkpoint of it is made.
  Result<void> complete_index() { return checked(index->write_pending()); }
  void account(const RunChange& change);
  /// What to tell the index with a change that comes from the record at `place`.
  Position note_index_end(Position place);

  Task<Result<Position>> sync();
  std::vector<Watermark> watermark_list() const;

  Env& env;
  StoreOptions options;
  Superblock superblock;
  std::unique_ptr<Kv> kv;
  std::unique_ptr<RunIndex> index;
  std::unique_ptr<CutTable> cuts;
  SegmentLog log;
  SpaceGuard space;
  std::map<SegmentNumber, SegmentSummary> segments;
  std::map<Slot, Version> settled;     // as told
  std::map<Slot, Version> watermarks;  // durable
  Position index_end = 0;              // the index has seen the log up to here
  Position flushed = 0;                // a restart replays from here
  Position moved_end = 0;              // behind the last record that compaction moved
  Time last_used = Time::min();        // when somebody wrote or read last
  std::function<std::string()> make_blob;

 private:
  Task<void> note_damaged_index();

  std::optional<Error> failure_;
  Position recorded_durable_ = 0;  // by the newest sync record
  bool saving_ = false;
  Signal saved_;
  Scope scope_;
};

}  // namespace mendfs::store
