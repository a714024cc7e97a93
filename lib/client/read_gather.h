// Puts the blocks of one read together from the answers of several servers. Decides which server is asked for what,
// each at most once a round, verifies what comes, and says what is left to do. Pure; one thread.
//
//   while (gather.is_waiting_for_answers()):  for each of gather.next_round(...): send; accept() or refuse() its answer
//   then every block is served, or failed, or nobody can say now.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/buffer.h"
#include "base/error.h"
#include "block/types.h"
#include "client/audit_question.h"
#include "client/read_decision.h"
#include "protocol/data.h"

namespace mendfs::client {

class ReadGather {
 public:
  /// Blocks [first, first + count). Requires: count > 0.
  ReadGather(BlockIndex first, std::uint32_t count, const Layout& layout);

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
  static constexpr std::uint8_t kNotServed = 0xff;

  CopyView& view(BlockIndex block, std::uint32_t copy) { return views_[(block - first_) * layout_.copy_count + copy]; }
  std::span<const CopyView> views_of(BlockIndex block) const {
    return {views_.data() + (block - first_) * layout_.copy_count, layout_.copy_count};
  }
  std::uint32_t copy_of(BlockIndex block, Slot slot) const;
  /// Gives out this copy; its bytes, if it has any, are in place.
  void serve(BlockIndex block, std::uint32_t copy);
  void add_given(BlockIndex block, const std::vector<Slot>& holders, std::uint32_t count,
                 std::vector<GivenRun>& runs) const;
  void take_run(const protocol::ReadRun& run, Slot slot, ByteView data);

  BlockIndex first_;
  std::uint32_t count_;
  Layout layout_;
  Buffer bytes_;
  std::vector<CopyView> views_;       // block by block, copy by copy
  std::vector<std::uint8_t> served_;  // by block: the copy given out
  std::uint32_t served_count_ = 0;
};

}  // namespace mendfs::client
