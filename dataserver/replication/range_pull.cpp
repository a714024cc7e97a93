#include "dataserver/replication/range_pull.h"

#include <algorithm>
#include <utility>

#include "block/placement.h"
#include "dataserver/replication/incoming.h"
#include "env/future.h"
#include "protocol/timing.h"

namespace mendfs::replication {
namespace {

constexpr std::uint32_t kRunsPerPage = 1024;
constexpr std::uint64_t kBatchSizeMax = 2u << 20;
constexpr std::size_t kBatchRunsMax = 256;
/// With kBatchSizeMax: 8 MiB in flight, whatever there is to pull.
constexpr std::size_t kBatchesInFlight = 4;

}  // namespace

Task<Result<bool>> RangePull::step() {
  protocol::ListRequest request;
  request.range = range_;
  request.above = above_;
  request.cursor = cursor_;
  request.run_count_max = kRunsPerPage;
  const Time deadline = node_.env.loop.now() + timing::kPeerCallTimeout;
  auto listed = co_await node_.channel(source_).call(std::move(request), std::vector<Buffer>(), deadline);
  if (!listed) co_return listed.error();
  const protocol::ListReply& page = listed->reply;
  Result<void> noted = note_answer(page);
  if (!noted) co_return noted.error();
  Result<std::vector<Batch>> batches = lacking(page.runs);
  if (!batches) co_return batches.error();
  for (std::size_t begin = 0; begin < batches->size(); begin += kBatchesInFlight) {
    std::vector<Task<Result<void>>> pulls;
    for (std::size_t i = begin; i < std::min(begin + kBatchesInFlight, batches->size()); ++i)
      pulls.push_back(pull_batch(std::move((*batches)[i])));
    std::vector<Result<void>> pulled = co_await all_of(node_.env.loop, std::move(pulls));
    for (const Result<void>& result : pulled)
      if (!result) co_return result.error();
  }
  for (const RunSummary& run : page.runs) blocks_listed_ += run.header.blocks.count;
  cursor_ = page.cursor;
  co_return page.end;
}

Result<void> RangePull::note_answer(const protocol::ListReply& reply) {
  if (pages_ > 0 && reply.generation != generation_) {
    // Its positions mean nothing in another store.
    pages_ = 0;
    cursor_ = 0;
    blocks_listed_ = 0;
    source_was_complete_ = true;
    return Error{ErrorCode::Unavailable, "the source of a rebuild has become another store"};
  }
  generation_ = reply.generation;
  pages_ += 1;
  source_was_complete_ = source_was_complete_ && reply.complete;
  source_is_rebuilding_ = reply.rebuilding;
  blocks_total_ = reply.blocks_total;
  for (const protocol::CutRecord& record : reply.cuts) {
    Result<store::Position> recorded = node_.store.add_cuts(record.inode, record.cuts, record.deleted);
    if (!recorded) {
      node_.note_store_error(recorded.error());
      return recorded.error();
    }
  }
  return {};
}

Result<std::vector<RangePull::Batch>> RangePull::lacking(const std::vector<RunSummary>& listed) const {
  std::vector<Batch> batches;
  for (const RunSummary& run : listed) {
    const RunHeader& header = run.header;
    MENDFS_TRY_VOID(check_run(header, header.kind == RunKind::Data ? header.blocks.count : 0));
    if (header.layout.slot_count != node_.slot_count() || primary_of(header.blocks.first, header.layout) != range_)
      return Error{ErrorCode::Malformed, "a listing of another range"};
    MENDFS_TRY(const bool is_needed, is_lacking(header));
    if (!is_needed) continue;
    const bool fits = !batches.empty() && batches.back().size + header.data_size() <= kBatchSizeMax &&
                      batches.back().headers.size() < kBatchRunsMax;
    if (!fits) batches.emplace_back();
    batches.back().headers.push_back(header);
    batches.back().size += header.data_size();
  }
  return batches;
}

/// Some block of the run is older or missing here.
Result<bool> RangePull::is_lacking(const RunHeader& header) const {
  MENDFS_TRY(std::vector<store::Piece> pieces, node_.store.find(header.inode, header.blocks));
  return std::any_of(pieces.begin(), pieces.end(), [&](const store::Piece& piece) {
    if (piece.cut != header.cut) return piece.cut < header.cut;
    if (piece.version != header.version) return piece.version < header.version;
    return piece.state == store::BlockState::Lost && header.kind != RunKind::Lost;
  });
}

Task<Result<void>> RangePull::pull_batch(Batch batch) {
  protocol::FetchRequest request;
  request.range = range_;
  for (const RunHeader& header : batch.headers) request.parts.push_back({header.inode, header.blocks});
  const Time deadline = node_.env.loop.now() + timing::kPeerCallTimeout;
  auto answer = co_await node_.channel(source_).call(std::move(request), std::vector<Buffer>(), deadline);
  if (!answer) co_return answer.error();
  Result<std::vector<Run>> runs = take_runs(node_, range_, std::move(answer->reply.runs), answer->data);
  if (!runs) co_return runs.error();
  MENDFS_CO_TRY_VOID(verify_runs(*runs));
  Result<void> stored = store_runs(*runs);
  if (!stored) co_return stored;
  for (const Run& run : *runs) blocks_pulled_ += run.header.blocks.count;
  for (const protocol::FetchMiss& miss : answer->reply.misses) {
    // Absent now: cut or overwritten since the listing; what is current comes later in it.
    if (miss.state != protocol::BlockState::Bad) continue;
    Result<void> marked = mark_lost(batch, miss);
    if (!marked) co_return marked;
  }
  co_return Result<void>();
}

Result<void> RangePull::mark_lost(const Batch& batch, const protocol::FetchMiss& miss) const {
  auto listed = std::find_if(batch.headers.begin(), batch.headers.end(), [&](const RunHeader& header) {
    return header.inode == miss.part.inode && header.version == miss.version &&
           header.blocks.contains(miss.part.blocks.first);
  });
  if (listed == batch.headers.end()) return {};
  std::vector<Run> lost;
  for (std::uint32_t i = 0; i < miss.part.blocks.count; ++i) {
    const BlockIndex block = miss.part.blocks.at(i);
    if (!listed->blocks.contains(block)) return {};
    MENDFS_TRY(std::vector<store::Piece> own, node_.store.find(listed->inode, BlockRun{block, listed->blocks.step, 1}));
    const bool has_some = own.front().state != store::BlockState::Absent;
    const bool has_as_new = own.front().version >= listed->version && own.front().cut >= listed->cut;
    if (has_as_new || (has_some && unverifiable_ == Unverifiable::KeepOlder)) continue;
    Run run;
    run.header = *listed;
    run.header.kind = RunKind::Lost;
    run.header.last_size = 0;
    run.header.copy = node_.copy_of(range_).value_or(0);
    run.header.blocks = {block, listed->blocks.step, 1};
    lost.push_back(std::move(run));
  }
  if (lost.empty()) return {};
  node_.env.log.error("blocks are lost: the only other copy is damaged inode={} first={} blocks={} source={}",
                      listed->inode, lost.front().header.blocks.first, lost.size(), source_);
  return store_runs(lost);
}

Result<void> RangePull::store_runs(const std::vector<Run>& runs) const {
  if (runs.empty()) return {};
  Result<store::Position> stored = node_.store.append(runs, store::SpaceUse::Reserve);
  if (!stored) {
    node_.note_store_error(stored.error());
    return stored.error();
  }
  return {};
}

}  // namespace mendfs::replication
