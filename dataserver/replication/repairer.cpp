#include "dataserver/replication/repairer.h"

#include <algorithm>
#include <utility>

#include "dataserver/replication/incoming.h"
#include "protocol/timing.h"

namespace mendfs::replication {
namespace {

// Of one Fetch.
constexpr std::uint32_t kChunkBlocks = 2048;

/// Whether a copy found elsewhere replaces what this server has of the block.
bool replaces(const RunHeader& theirs, const store::ReadPiece& own) {
  if (theirs.cut != own.cut) return theirs.cut > own.cut;
  if (theirs.version != own.version) return theirs.version > own.version;
  const bool own_is_good = own.state != store::BlockState::Bad && own.state != store::BlockState::Lost;
  return !own_is_good && theirs.kind != RunKind::Lost;
}

/// The piece that has the block; nullptr for a block that was not asked for.
const store::ReadPiece* piece_with(const std::vector<store::ReadPiece>& pieces, BlockIndex block) {
  auto found = std::find_if(pieces.begin(), pieces.end(),
                            [&](const store::ReadPiece& piece) { return piece.blocks.contains(block); });
  return found == pieces.end() ? nullptr : &*found;
}

}  // namespace

/// A place in the queue, let go however the repair ends.
struct Repairer::Turn {
  Repairer& repairer;
  OrderQueue::Ticket ticket;
  ~Turn() {
    repairer.waiting_.erase(ticket);
    for (OrderQueue::Ticket next : repairer.order_.leave(ticket)) {
      auto waiting = repairer.waiting_.find(next);
      if (waiting != repairer.waiting_.end()) waiting->second.set({});
    }
  }
};

Task<Result<RepairOutcome>> Repairer::repair(InodeNumber inode, Slot range, BlockRun blocks) {
  std::vector<BlockRun> parts;
  parts.push_back(blocks);
  Turn turn{*this, order_.enter(inode, std::move(parts))};
  if (!order_.is_ready(turn.ticket)) {
    auto [promise, future] = make_promise<Unit>(node_.env.loop);
    waiting_.emplace(turn.ticket, std::move(promise));
    (void)co_await future;
  }
  co_return co_await repair_in_turn(inode, range, blocks);
}

Task<Result<RepairOutcome>> Repairer::repair_in_turn(InodeNumber inode, Slot range, BlockRun blocks) {
  RepairOutcome outcome;
  for (std::uint32_t begin = 0; begin < blocks.count; begin += kChunkBlocks) {
    const BlockRun chunk{blocks.at(begin), blocks.step, std::min(kChunkBlocks, blocks.count - begin)};
    Result<void> done = co_await repair_chunk(inode, range, chunk, &outcome);
    if (!done) co_return done.error();
  }
  co_return outcome;
}

Task<Result<void>> Repairer::repair_chunk(InodeNumber inode, Slot range, BlockRun blocks, RepairOutcome* outcome) {
  for (Slot holder : node_.other_holders(range)) {
    protocol::FetchRequest request;
    request.range = range;
    request.parts.push_back({inode, blocks});
    const Time deadline = node_.env.loop.now() + timing::kPeerCallTimeout;
    auto answer = co_await node_.channel(holder).call(std::move(request), std::vector<Buffer>(), deadline);
    if (!answer) {
      outcome->all_answered = false;
      continue;
    }
    if (answer->reply.complete) outcome->complete_answered = true;
    for (const protocol::CutRecord& record : answer->reply.cuts) {
      if (record.inode != inode) continue;
      Result<store::Position> recorded = node_.store.add_cuts(inode, record.cuts, record.deleted);
      if (!recorded) node_.note_store_error(recorded.error());
    }
    Result<std::vector<Run>> fetched = take_runs(node_, range, std::move(answer->reply.runs), answer->data);
    const Result<void> usable = fetched ? verify_runs(*fetched) : fetched.error();
    if (!usable) {
      node_.env.log.warn("a holder sent runs that cannot be used slot={} inode={} reason=\"{}\"", holder, inode,
                         usable.error().message);
      outcome->all_answered = false;
      continue;
    }
    // Looked at after the answer came: forwards may have mended it meanwhile.
    Result<std::vector<store::ReadPiece>> own =
        co_await node_.store.read(inode, blocks, store::ReadWhat::VerifiedDigests);
    if (!own) co_return own.error();
    Result<std::uint64_t> installed = install(inode, range, *own, *fetched);
    if (!installed) co_return installed.error();
    outcome->repaired += *installed;
    if (answer->reply.complete) keep_older(*own, std::move(*fetched), answer->reply.misses, &outcome->older);
  }
  co_return Result<void>();
}

void Repairer::keep_older(const std::vector<store::ReadPiece>& own, std::vector<Run> fetched,
                          const std::vector<protocol::FetchMiss>& misses, std::vector<Run>* older) {
  for (const protocol::FetchMiss& miss : misses) {
    if (miss.state != protocol::BlockState::Absent) continue;
    Run nothing;
    nothing.header.kind = RunKind::Hole;
    nothing.header.blocks = miss.part.blocks;
    fetched.push_back(std::move(nothing));
  }
  for (Run& run : fetched) {
    const store::ReadPiece* piece = piece_with(own, run.header.blocks.first);
    if (piece != nullptr && piece->state == store::BlockState::Bad && !replaces(run.header, *piece))
      older->push_back(std::move(run));
  }
}

Result<std::uint64_t> Repairer::install(InodeNumber inode, Slot range, const std::vector<store::ReadPiece>& own,
                                        const std::vector<Run>& fetched) {
  // What is above the newest version seen here was never forwarded yet: it is on its way, and no fault.
  const Version newest_before = node_.store.newest(range);
  std::vector<Run> better;
  std::uint64_t mended = 0;
  for (const Run& run : fetched) {
    const BlockRun& blocks = run.header.blocks;
    if (run.header.inode != inode) return Error{ErrorCode::Malformed, "runs of another file than was asked for"};
    std::uint32_t begin = 0;
    while (begin < blocks.count) {
      std::uint32_t end = begin;
      for (; end < blocks.count; ++end) {
        const store::ReadPiece* piece = piece_with(own, blocks.at(end));
        if (piece == nullptr || !replaces(run.header, *piece)) break;
        if (piece->state == store::BlockState::Bad || run.header.version <= newest_before) ++mended;
      }
      if (end > begin) better.push_back(part_of(run, begin, end));
      begin = end + 1;
    }
  }
  if (better.empty()) return mended;
  Result<store::Position> stored = node_.store.append(better, store::SpaceUse::Reserve);
  if (!stored) {
    node_.note_store_error(stored.error());
    return stored.error();
  }
  node_.blocks_mended += mended;
  if (mended > 0)
    node_.env.log.info("mended blocks={} inode={} first={}", mended, inode, better.front().header.blocks.first);
  return mended;
}

}  // namespace mendfs::replication
