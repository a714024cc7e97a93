#include "dataserver/replication/retries.h"

#include <algorithm>
#include <utility>

#include "protocol/timing.h"

namespace mendfs::replication {
namespace {

/// A version of the same term was made from what the write left, whatever became of its record since. One of a later
/// term may have been made from blocks that had lost it.
bool has_it(store::BlockState state, Version stored, Version written) {
  const bool is_intact = state == store::BlockState::Data || state == store::BlockState::Hole;
  return is_intact && stored.term == written.term && stored >= written;
}

}  // namespace

Task<Result<void>> Retries::ask_others(WriteId id) {
  for (Slot holder : node_.other_holders(node_.slot())) {
    protocol::AskWriteRequest request;
    request.id = id;
    request.range = node_.slot();
    const Time deadline = node_.env.loop.now() + timing::kPeerCallTimeout;
    auto answer = co_await node_.channel(holder).call(std::move(request), std::vector<Buffer>(), deadline);
    if (!answer) co_return Error{ErrorCode::Unavailable, answer.error().message};
    if (answer->reply.known) window_.remember_seen(id, node_.slot(), answer->reply.version);
  }
  co_return Result<void>();
}

Task<Result<bool>> Retries::is_everywhere(protocol::FileRef file, std::vector<BlockRun> blocks, Version version) {
  for (const BlockRun& run : blocks) {
    Result<std::vector<store::ReadPiece>> pieces =
        co_await node_.store.read(file.inode, run, store::ReadWhat::VerifiedDigests);
    if (!pieces) {
      node_.note_store_error(pieces.error());
      co_return pieces.error();
    }
    const bool is_here = std::all_of(pieces->begin(), pieces->end(), [&](const store::ReadPiece& piece) {
      return has_it(piece.state, piece.version, version);
    });
    if (!is_here) co_return false;
  }
  for (Slot holder : node_.other_holders(node_.slot())) {
    protocol::FileRef same_file = file;
    std::vector<BlockRun> same_blocks = blocks;
    Result<bool> is_there = co_await is_at(holder, std::move(same_file), std::move(same_blocks), version);
    if (!is_there || !*is_there) co_return is_there;
  }
  co_return true;
}

Task<Result<bool>> Retries::is_at(Slot holder, protocol::FileRef file, std::vector<BlockRun> blocks, Version version) {
  protocol::ReadRequest request;
  request.file = std::move(file);
  for (const BlockRun& run : blocks) request.parts.push_back({protocol::ReadMode::Digest, run});
  const Time deadline = node_.env.loop.now() + timing::kPeerCallTimeout;
  auto answer = co_await node_.channel(holder).call(std::move(request), std::vector<Buffer>(), deadline);
  if (answer.code() == ErrorCode::Unavailable || answer.code() == ErrorCode::OutcomeUnknown) co_return answer.error();
  if (!answer) co_return false;
  std::uint64_t asked = 0;
  for (const BlockRun& run : blocks) asked += run.count;
  std::uint64_t found = 0;
  for (const protocol::ReadRun& run : answer->reply.runs)
    if (has_it(run.state, run.version, version)) found += run.blocks.count;
  co_return found == asked;
}

}  // namespace mendfs::replication
