// Puts the blocks of one read together from the answers of several servers. Decides which server is asked for what,
// each at most once a round, verifies what comes, and says what is left to do. Pure; one thread.
//
//   while (gather.is_waiting_for_answers()):  for each of gather.next_round(...): send; accept() or refuse() its answer
//   then every block is served, or failed, or nobody can say now.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/buffer.h"
#include "base/error.h"
#include "block/copy_sum.h"
#include "block/types.h"
#include "client/audit_question.h"
#include "client/read_decision.h"
#include "protocol/data.h"

namespace mendfs::client {

class ReadGather {
 public:
  /// Blocks [first, first + count). `sum` is for the audit, and outlives this. Requires: count > 0.
  ReadGather(BlockIndex first, std::uint32_t count, const Layout& layout, const CopySum& sum);

  /// One request for each server that is to be asked now; none when the round is over. `is_usable`: whether it is worth
  /// asking a server; others count as NoAnswer. `rotation` spreads reads over the copies.
  std::vector<SlotBlocks> next_round(const std::function<bool(Slot)>& is_usable, std::uint64_t rotation);

  /// Takes an answer to what next_round() asked. Malformed when it does not answer that: the server counts as NoAnswer.
  Result<void> accept(const SlotBlocks& asked, const protocol::ReadReply& reply, const Buffer& data);
  /// There is none.
  void refuse(const SlotBlocks& asked);

  BlockIndex first() const { return first_; }
  bool is_served() const { return served_count_ == count_; }
  /// Some block is lost for good.
  bool is_failed() const;
  /// Nobody could say: forgets what was away or incomplete, to ask again.
  void forget_silent();
  /// Which servers could not say, for the log.
  std::vector<Slot> silent() const;

  /// All blocks, one after another. Requires: is_served().
  const Buffer& bytes() const { return bytes_; }

  /// Copies that were seen to be bad: to be mended at once.
  std::vector<SlotBlocks> suspects() const;
  /// What to ask the servers of the copies that nobody asked for. Requires: is_served().
  std::vector<AuditQuestion> audit_questions() const;

 private:
  /// Neighbouring blocks of a share of which the same is known: a read is decided stretch by stretch, however many
  /// blocks that are.
  struct Stretch {
    std::uint32_t begin = 0;  // index within the share
    std::uint32_t count = 0;
    std::vector<CopyView> copies;
    std::optional<std::uint32_t> served;  // the copy given out
    std::vector<std::uint64_t> sums;      // of its blocks, if it is Data
  };
  /// What is read of one range.
  struct Share {
    BlockRun blocks;
    std::vector<Slot> holders;
    std::vector<Stretch> stretches;  // ascending, without gaps

    BlockRun blocks_of(const Stretch& stretch) const { return {blocks.at(stretch.begin), blocks.step, stretch.count}; }
    /// Makes a stretch begin at `index`. Returns which one does; their number when that is the end.
    std::size_t split_at(std::uint32_t index);
  };
  /// What one answer says of blocks side by side.
  struct Said {
    CopyView view;
    ByteView data;
    std::span<const Digest> digests;
  };

  Share& share_with(BlockIndex block);
  static std::uint32_t copy_on(const Share& share, Slot slot);
  std::byte* place_of(BlockIndex block) { return bytes_.writable().data() + (block - first_) * layout_.block_size; }
  void take_run(const protocol::ReadRun& run, Slot slot, ByteView data);
  void note(Share& share, std::uint32_t begin, std::uint32_t end, std::uint32_t copy, const Said& said);
  /// Gives out this copy; its bytes, if it has any, are in place.
  void serve(const Share& share, Stretch& stretch, std::uint32_t copy);
  static void add_given(const Share& share, const Stretch& stretch, std::vector<GivenRun>& runs);

  BlockIndex first_;
  std::uint32_t count_;
  Layout layout_;
  const CopySum& sum_;
  Buffer bytes_;
  std::vector<Share> shares_;  // of the ranges that have some, ascending by range
  std::uint32_t served_count_ = 0;
};

}  // namespace mendfs::client
