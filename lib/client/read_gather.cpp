#include "client/read_gather.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "block/checksum.h"
#include "block/placement.h"

namespace mendfs::client {
namespace {

/// For each range the slot that should give the data, so that few servers are asked: neighbouring ranges share one.
std::vector<Slot> choose_slots(const Layout& layout, const std::vector<bool>& usable, std::uint64_t rotation) {
  std::vector<Slot> chosen(layout.slot_count);
  std::vector<bool> is_asked(layout.slot_count);
  for (std::uint32_t i = 0; i < layout.slot_count; ++i) {
    const Slot range = static_cast<Slot>((rotation + i) % layout.slot_count);
    const std::vector<Slot> holders = holders_of(range, layout.slot_count, layout.copy_count);
    // The last copy's server is also a holder of the ranges that come next.
    Slot best = holders.back();
    for (const Slot slot : holders)
      if (usable[slot] && (is_asked[slot] || !usable[best])) best = slot;
    chosen[range] = best;
    is_asked[best] = true;
  }
  return chosen;
}

/// Absent is one too, where another copy is there: an audit asks only those that were not asked before.
bool is_suspect(const CopyView& view, const CopyView& served) {
  return view.state == CopyState::Bad || view.state == CopyState::Lost ||
         (view.state == CopyState::Absent && served.state != CopyState::Absent);
}

}  // namespace

ReadGather::ReadGather(BlockIndex first, std::uint32_t count, const Layout& layout)
    : first_(first),
      count_(count),
      layout_(layout),
      bytes_(Buffer::allocate(std::size_t{count} * layout.block_size)),
      views_(std::size_t{count} * layout.copy_count),
      served_(count, kNotServed) {
  MENDFS_ASSERT(count > 0);
}

std::uint32_t ReadGather::copy_of(BlockIndex block, Slot slot) const {
  return *copy_at(slot, primary_of(block, layout_), layout_.slot_count, layout_.copy_count);
}

std::vector<SlotBlocks> ReadGather::next_round(const std::function<bool(Slot)>& is_usable, std::uint64_t rotation) {
  std::vector<bool> usable;
  for (Slot slot = 0; slot < layout_.slot_count; ++slot) usable.push_back(is_usable(slot));
  const std::vector<Slot> chosen = choose_slots(layout_, usable, rotation);
  BlockCollector wanted(layout_.slot_count);
  for (Slot range = 0; range < layout_.slot_count; ++range) {
    const BlockRun share = share_of(first_, count_, range, layout_);
    const std::vector<Slot> holders = holders_of(range, layout_.slot_count, layout_.copy_count);
    for (std::uint32_t i = 0; i < share.count; ++i) {
      const BlockIndex block = share.at(i);
      if (served_[block - first_] != kNotServed) continue;
      std::optional<Slot> target;
      for (std::uint32_t copy = 0; copy < holders.size(); ++copy) {
        CopyView& candidate = view(block, copy);
        if (candidate.state != CopyState::Unasked) continue;
        if (!usable[holders[copy]])
          candidate.state = CopyState::NoAnswer;
        else if (!target || holders[copy] == chosen[range])
          target = holders[copy];
      }
      const ReadDecision decision = decide_read(views_of(block));
      if (target && decision.step == ReadStep::Ask) wanted.add(*target, block);
      // Absent on one server, and the others have nothing to say.
      if (decision.step == ReadStep::Serve) serve(block, decision.copy);
    }
  }
  return wanted.take();
}

Result<void> ReadGather::accept(const SlotBlocks& asked, const protocol::ReadReply& reply, const Buffer& data) {
  Result<void> fits = check_answer(asked.blocks, reply.runs);
  std::uint64_t data_size = 0;
  for (const protocol::ReadRun& run : reply.runs) data_size += run.digests.size() * layout_.block_size;
  if (fits && data_size != data.size())
    fits = Error{ErrorCode::Malformed, "the server sent other bytes than it speaks of"};
  if (!fits) {
    refuse(asked);
    return fits;
  }
  std::size_t taken = 0;
  for (const protocol::ReadRun& run : reply.runs) {
    const std::size_t size =
        run.state == protocol::BlockState::Data ? std::size_t{run.blocks.count} * layout_.block_size : 0;
    take_run(run, asked.slot, data.view().subspan(taken, size));
    taken += size;
  }
  return {};
}

void ReadGather::take_run(const protocol::ReadRun& run, Slot slot, ByteView data) {
  const std::uint32_t size = layout_.block_size;
  const std::uint32_t copy = copy_of(run.blocks.first, slot);
  const std::vector<Digest> digests = digests_of(data, size);
  for (std::uint32_t i = 0; i < run.blocks.count; ++i) {
    const BlockIndex block = run.blocks.first + std::uint64_t{i} * layout_.slot_count;
    CopyView& seen = view(block, copy);
    seen.state = copy_state_of(run.state);
    seen.version = run.version;
    if (seen.state == CopyState::Data) {
      seen.digest = run.digests[i];
      if (digests[i] != seen.digest) seen.state = CopyState::Bad;
    }
    if (served_[block - first_] != kNotServed) continue;
    std::byte* target = bytes_.writable().data() + (block - first_) * size;
    if (seen.state == CopyState::Data) std::memcpy(target, data.data() + std::size_t{i} * size, size);
    const ReadDecision decision = decide_read(views_of(block));
    if (decision.step != ReadStep::Serve) continue;
    serve(block, decision.copy);
  }
}

void ReadGather::serve(BlockIndex block, std::uint32_t copy) {
  if (view(block, copy).state != CopyState::Data) {
    std::memset(bytes_.writable().data() + (block - first_) * layout_.block_size, 0, layout_.block_size);
  }
  served_[block - first_] = static_cast<std::uint8_t>(copy);
  ++served_count_;
}

void ReadGather::refuse(const SlotBlocks& asked) {
  for (const BlockRun& run : asked.blocks)
    for (std::uint32_t i = 0; i < run.count; ++i)
      view(run.at(i), copy_of(run.at(i), asked.slot)).state = CopyState::NoAnswer;
}

bool ReadGather::is_failed() const {
  for (std::uint32_t i = 0; i < count_; ++i)
    if (served_[i] == kNotServed && decide_read(views_of(first_ + i)).step == ReadStep::Fail) return true;
  return false;
}

void ReadGather::forget_silent() {
  // A copy seen to be bad is asked again too: it may have been mended meanwhile.
  for (std::uint32_t i = 0; i < count_; ++i) {
    if (served_[i] != kNotServed) continue;
    for (std::uint32_t copy = 0; copy < layout_.copy_count; ++copy) view(first_ + i, copy) = CopyView{};
  }
}

std::vector<Slot> ReadGather::silent() const {
  std::vector<bool> is_silent(layout_.slot_count);
  for (std::uint32_t i = 0; i < count_; ++i) {
    if (served_[i] != kNotServed) continue;
    const std::span<const CopyView> copies = views_of(first_ + i);
    for (std::uint32_t copy = 0; copy < copies.size(); ++copy)
      if (copies[copy].state == CopyState::NoAnswer || copies[copy].state == CopyState::Unknown)
        is_silent[slot_of(first_ + i, copy, layout_)] = true;
  }
  std::vector<Slot> slots;
  for (Slot slot = 0; slot < layout_.slot_count; ++slot)
    if (is_silent[slot]) slots.push_back(slot);
  return slots;
}

std::vector<SlotBlocks> ReadGather::suspects() const {
  BlockCollector wanted(layout_.slot_count);
  for (Slot range = 0; range < layout_.slot_count; ++range) {
    const BlockRun share = share_of(first_, count_, range, layout_);
    for (std::uint32_t i = 0; i < share.count; ++i) {
      const BlockIndex block = share.at(i);
      const std::span<const CopyView> copies = views_of(block);
      if (served_[block - first_] == kNotServed) continue;
      const CopyView& served = copies[served_[block - first_]];
      for (std::uint32_t copy = 0; copy < copies.size(); ++copy)
        if (is_suspect(copies[copy], served)) wanted.add(slot_of(block, copy, layout_), block);
    }
  }
  return wanted.take();
}

std::vector<AuditQuestion> ReadGather::audit_questions() const {
  MENDFS_ASSERT(is_served());
  std::vector<AuditQuestion> questions;
  for (Slot range = 0; range < layout_.slot_count; ++range) {
    const BlockRun share = share_of(first_, count_, range, layout_);
    const std::vector<Slot> holders = holders_of(range, layout_.slot_count, layout_.copy_count);
    for (std::uint32_t copy = 0; copy < holders.size(); ++copy) {
      std::vector<GivenRun> given;
      for (std::uint32_t i = 0; i < share.count; ++i) {
        const BlockIndex block = share.at(i);
        if (views_of(block)[copy].state == CopyState::Unasked) add_given(block, holders, share.count, given);
      }
      if (given.empty()) continue;
      const auto known = std::find_if(questions.begin(), questions.end(),
                                      [&](const AuditQuestion& question) { return question.slot == holders[copy]; });
      AuditQuestion& question = known != questions.end() ? *known : questions.emplace_back();
      question.slot = holders[copy];
      std::move(given.begin(), given.end(), std::back_inserter(question.given));
    }
  }
  return questions;
}

/// Adds a block, given out, to the last run or begins another one. A run that begins may get up to `count` blocks.
void ReadGather::add_given(BlockIndex block, const std::vector<Slot>& holders, std::uint32_t count,
                           std::vector<GivenRun>& runs) const {
  const std::uint32_t served = served_[block - first_];
  const CopyView& view = views_of(block)[served];
  const bool continues = !runs.empty() && runs.back().blocks.at(runs.back().blocks.count) == block &&
                         runs.back().slot == holders[served] && runs.back().state == view.state &&
                         runs.back().version == view.version;
  if (continues) {
    ++runs.back().blocks.count;
  } else {
    GivenRun& run = runs.emplace_back();
    run.blocks = {block, layout_.slot_count, 1};
    run.slot = holders[served];
    run.state = view.state;
    run.version = view.version;
    if (view.state == CopyState::Data) run.digests.reserve(count);
  }
  if (view.state == CopyState::Data) runs.back().digests.push_back(view.digest);
}

}  // namespace mendfs::client
