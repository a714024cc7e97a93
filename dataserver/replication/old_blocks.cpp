#include "dataserver/replication/old_blocks.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace mendfs::replication {

using protocol::FileRef;

Task<Result<OldBlock>> OldBlocks::read(FileRef file, BlockRun block) {
  const Slot range = node_.slot();
  RepairOutcome mended;
  bool others_asked = false;
  if (!node_.is_complete(range)) {
    // What is here may be older than what a complete holder has.
    MENDFS_CO_TRY(mended, co_await repairer_.repair(file.inode, range, block));
    if (!mended.complete_answered)
      co_return Error{ErrorCode::Unavailable, "being rebuilt, and no complete holder answers"};
    others_asked = true;
  }
  for (;;) {
    MENDFS_CO_TRY(const std::vector<store::ReadPiece> pieces,
                  co_await node_.store.read(file.inode, block, store::ReadWhat::VerifiedData));
    const store::ReadPiece& piece = pieces.front();
    if (piece.state != store::BlockState::Bad) co_return of_piece(file, piece);
    if (others_asked) co_return of_bad(file, piece, mended);
    MENDFS_CO_TRY(mended, co_await repairer_.repair(file.inode, range, block));
    others_asked = true;
  }
}

/// Requires: the piece is not Bad.
Result<OldBlock> OldBlocks::of_piece(const FileRef& file, const store::ReadPiece& piece) const {
  OldBlock old;
  old.cut = piece.cut;
  old.version = piece.version;
  const bool is_lost = piece.state == store::BlockState::Lost ||
                       (piece.state == store::BlockState::Absent && node_.is_declared_lost(node_.slot(), file.inode));
  if (is_lost) return Error{ErrorCode::Io, "part of a block that is lost"};
  if (piece.state != store::BlockState::Data) return old;
  old.bytes = Buffer::allocate(file.layout.block_size);
  std::size_t size = 0;
  for (const Buffer& part : piece.data) {
    const std::size_t fitting = std::min(part.size(), old.bytes.size() - size);
    if (fitting > 0) std::memcpy(old.bytes.writable().data() + size, part.data(), fitting);
    size += fitting;
  }
  old.bytes = old.bytes.slice(0, std::min<std::size_t>(piece.last_size, size));
  return old;
}

/// What to merge with when the copy here is damaged and no other holder has the version that the index names.
Result<OldBlock> OldBlocks::of_bad(const FileRef& file, const store::ReadPiece& bad,
                                   const RepairOutcome& mended) const {
  if (settled_.is_outstanding(bad.version))
    return Error{ErrorCode::Unavailable, "the copy here is bad, and the other one is still on its way"};
  if (!mended.all_answered)
    return Error{ErrorCode::Unavailable, "the copy here is bad, and another holder does not answer"};
  // What a complete holder never had was never acknowledged: its own version is right.
  for (const Run& run : mended.older) {
    if (run.header.kind == RunKind::Lost) break;
    OldBlock old;
    old.cut = bad.cut;
    old.version = bad.version;
    const std::uint64_t limit = file.cuts.limit_for(run.header.cut);
    const std::uint64_t begin = run.header.blocks.first * file.layout.block_size;
    const std::uint64_t counting = limit > begin ? limit - begin : 0;
    old.bytes = run.data.slice(0, std::min<std::uint64_t>(run.data.size(), counting));
    return old;
  }
  return Error{ErrorCode::Io, "part of a block of which no good copy is left"};
}

Result<bool> OldBlocks::is_unchanged(InodeNumber inode, const BlockRun& block, const OldBlock& old) const {
  MENDFS_TRY(std::vector<store::Piece> now, node_.store.find(inode, block));
  return now.front().cut == old.cut && now.front().version == old.version;
}

}  // namespace mendfs::replication
