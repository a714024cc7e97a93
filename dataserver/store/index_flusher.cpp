#include "dataserver/store/index_flusher.h"

#include "dataserver/store/index_keys.h"
#include "protocol/fields.h"

namespace mendfs::store {

bool IndexFlusher::due() const {
  const Position end = parts_.log.end();
  // The first flush comes soon: without one a missing segment is not noticed.
  if (parts_.flushed == 0) return !parts_.segments.empty();
  const std::uint64_t replay_segments = segment_of(end) - segment_of(parts_.flushed);
  return parts_.kv->unflushed_size() >= parts_.options.index_flush_size ||
         replay_segments * parts_.options.segment_size >= parts_.options.replay_size_max;
}

Task<Result<void>> IndexFlusher::flush() {
  // One that is running began before this call: what it covers is not known, so another one follows it.
  const std::uint64_t wanted = flush_count_ + (running_ ? 2 : 1);
  while (flush_count_ < wanted) {
    MENDFS_CO_TRY_VOID(parts_.usable());
    if (!running_) {
      running_ = true;
      scope_.spawn(run_flush());
    }
    if (running_) co_await flushed_.next();
  }
  MENDFS_CO_TRY_VOID(parts_.usable());
  co_return last_;
}

/// Belongs to the store, not to whoever asked, who may be let go.
Task<void> IndexFlusher::run_flush() {
  const Result<void> done = co_await flush_once();
  last_ = done;
  if (!done && done.code() == ErrorCode::NoSpace) {
    parts_.env.log.warn("the index could not be flushed: {}", done.error().message);
  } else if (!done) {
    parts_.fail(done.error(), done.code() == ErrorCode::Corruption);
  }
  running_ = false;
  ++flush_count_;
  flushed_.notify_all();
}

Task<Result<void>> IndexFlusher::flush_once() {
  const std::set<SegmentNumber> retired = retired_;
  // What was written while the write-out ran is little; when it is not, the next write-out is shorter.
  Result<void> synced = Error{ErrorCode::Busy, {}};
  while (!synced && synced.code() == ErrorCode::Busy) {
    MENDFS_CO_TRY(const Position durable, co_await parts_.sync());
    (void)durable;
    synced = parts_.log.sync_now();
  }
  if (!synced) co_return synced;
  const Position position = parts_.log.end();
  MENDFS_CO_TRY_VOID(apply_checkpoint(retired));
  MENDFS_CO_TRY_VOID(co_await parts_.kv->checkpoint());
  parts_.flushed = position;
  for (const SegmentNumber number : retired) {
    retired_.erase(number);
    // One that stays behind is found and removed at the next start.
    if (Result<void> removed = parts_.log.remove(number); !removed)
      parts_.env.log.warn("an emptied segment could not be removed: {}", removed.error().message);
  }
  co_return Result<void>{};
}

Result<void> IndexFlusher::apply_checkpoint(const std::set<SegmentNumber>& retired) {
  MENDFS_TRY_VOID(parts_.complete_index());
  for (const SegmentNumber number : retired) parts_.segments.erase(number);
  KvBatch batch;
  for (const SegmentNumber number : retired) batch.remove(keys::numbered(keys::kSegment, number));
  for (const auto& [number, summary] : parts_.segments)
    batch.put(keys::numbered(keys::kSegment, number), pack(summary));
  Checkpoint checkpoint;
  checkpoint.generation = parts_.superblock.generation;
  checkpoint.position = parts_.log.end();
  checkpoint.watermarks = parts_.watermark_list();
  if (parts_.make_blob) checkpoint.blob = parts_.make_blob();
  batch.put(std::string(keys::kCheckpoint), pack(checkpoint));
  batch.put(std::string(keys::kEnd), pack(checkpoint.position));
  return parts_.kv->apply(batch);
}

}  // namespace mendfs::store
