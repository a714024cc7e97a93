#include "client/read_gather.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <set>
#include <utility>

#include "block/checksum.h"
#include "block/placement.h"

namespace mendfs::client {
namespace {

/// Of a range, the slot that holds this copy.
Slot slot_of_copy(Slot range, std::uint32_t copy, const Layout& layout) { return (range + copy) % layout.slot_count; }

/// For each range the slot that should give the data, so that few servers are asked: neighbouring ranges share one.
std::vector<Slot> choose_slots(const Layout& layout, const std::vector<bool>& usable, std::uint64_t rotation) {
  std::vector<Slot> chosen(layout.slot_count);
  std::vector<bool> is_asked(layout.slot_count);
  for (std::uint32_t i = 0; i < layout.slot_count; ++i) {
    const Slot range = static_cast<Slot>((rotation + i) % layout.slot_count);
    // The last copy's server is also a holder of the ranges that come next.
    Slot best = slot_of_copy(range, layout.copy_count - 1, layout);
    for (std::uint32_t copy = 0; copy < layout.copy_count; ++copy) {
      const Slot slot = slot_of_copy(range, copy, layout);
      if (usable[slot] && (is_asked[slot] || !usable[best])) best = slot;
    }
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

ReadGather::ReadGather(BlockIndex first, std::uint32_t count, const Layout& layout, const CopySum& sum)
    : first_(first),
      count_(count),
      layout_(layout),
      sum_(sum),
      bytes_(Buffer::allocate(std::size_t{count} * layout.block_size)) {
  MENDFS_ASSERT(count > 0);
  for (Slot range = 0; range < layout.slot_count; ++range) {
    const BlockRun blocks = share_of(first, count, range, layout);
    if (blocks.count == 0) continue;
    Stretch all;
    all.count = blocks.count;
    all.copies.resize(layout.copy_count);
    shares_.push_back({blocks, holders_of(range, layout.slot_count, layout.copy_count), {std::move(all)}});
  }
}

std::size_t ReadGather::Share::split_at(std::uint32_t index) {
  const auto after = std::upper_bound(stretches.begin(), stretches.end(), index,
                                      [](std::uint32_t wanted, const Stretch& known) { return wanted < known.begin; });
  const auto place = std::prev(after);
  const auto at = static_cast<std::size_t>(place - stretches.begin());
  const std::uint32_t before = index - place->begin;
  if (before == 0) return at;
  if (before == place->count) return at + 1;
  Stretch rest = *place;
  place->count = before;
  rest.begin = index;
  rest.count -= before;
  if (!rest.sums.empty()) {
    rest.sums.erase(rest.sums.begin(), rest.sums.begin() + before);
    place->sums.resize(before);
  }
  stretches.insert(after, std::move(rest));
  return at + 1;
}

ReadGather::Share& ReadGather::share_with(BlockIndex block) {
  const Slot range = primary_of(block, layout_);
  const auto found = std::find_if(shares_.begin(), shares_.end(),
                                  [range](const Share& share) { return share.holders.front() == range; });
  MENDFS_ASSERT(found != shares_.end());
  return *found;
}

std::uint32_t ReadGather::copy_on(const Share& share, Slot slot) {
  const auto found = std::find(share.holders.begin(), share.holders.end(), slot);
  MENDFS_ASSERT(found != share.holders.end());
  return static_cast<std::uint32_t>(found - share.holders.begin());
}

std::vector<SlotBlocks> ReadGather::next_round(const std::function<bool(Slot)>& is_usable, std::uint64_t rotation) {
  if (is_served()) return {};
  std::vector<bool> usable;
  for (Slot slot = 0; slot < layout_.slot_count; ++slot) usable.push_back(is_usable(slot));
  const std::vector<Slot> chosen = choose_slots(layout_, usable, rotation);
  BlockCollector wanted;
  for (Share& share : shares_) {
    for (Stretch& stretch : share.stretches) {
      if (stretch.served) continue;
      std::optional<Slot> target;
      for (std::uint32_t copy = 0; copy < share.holders.size(); ++copy) {
        if (stretch.copies[copy].state != CopyState::Unasked) continue;
        const Slot slot = share.holders[copy];
        if (!usable[slot])
          stretch.copies[copy].state = CopyState::NoAnswer;
        else if (!target || slot == chosen[share.holders.front()])
          target = slot;
      }
      const ReadDecision decision = decide_read(stretch.copies);
      if (target && decision.step == ReadStep::Ask) wanted.add(*target, share.blocks_of(stretch));
      // Absent on one server, and the others have nothing to say.
      if (decision.step == ReadStep::Serve) serve(share, stretch, decision.copy);
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
  Share& share = share_with(run.blocks.first);
  const std::uint32_t copy = copy_on(share, slot);
  const auto begin = static_cast<std::uint32_t>((run.blocks.first - share.blocks.first) / share.blocks.step);
  const CopyView view{copy_state_of(run.state), run.version};
  if (view.state != CopyState::Data || digests_match(data, layout_.block_size, run.digests))
    return note(share, begin, begin + run.blocks.count, copy, {view, data, run.digests});
  for (std::uint32_t i = 0; i < run.blocks.count; ++i) {
    const ByteView block = data.subspan(std::size_t{i} * layout_.block_size, layout_.block_size);
    const bool is_good = sha256(block) == run.digests[i];
    const CopyView seen{is_good ? CopyState::Data : CopyState::Bad, run.version};
    note(share, begin + i, begin + i + 1, copy, {seen, block, std::span(run.digests).subspan(i, 1)});
  }
}

void ReadGather::note(Share& share, std::uint32_t begin, std::uint32_t end, std::uint32_t copy, const Said& said) {
  const std::size_t block_size = layout_.block_size;
  std::size_t at = share.split_at(begin);
  const std::size_t after = share.split_at(end);
  for (; at < after; ++at) {
    Stretch& stretch = share.stretches[at];
    stretch.copies[copy] = said.view;
    if (stretch.served) continue;
    const ReadDecision decision = decide_read(stretch.copies);
    if (decision.step != ReadStep::Serve) continue;
    // A copy with bytes is given out as soon as it is here, so it can only be this one.
    if (stretch.copies[decision.copy].state == CopyState::Data) {
      const std::size_t done = stretch.begin - begin;
      stretch.sums.reserve(stretch.count);
      const std::byte* source = said.data.data() + done * block_size;
      std::byte* target = place_of(share.blocks.at(stretch.begin));
      for (std::uint32_t i = 0; i < stretch.count;
           ++i, source += block_size, target += block_size * share.blocks.step) {
        std::memcpy(target, source, block_size);
        stretch.sums.push_back(sum_.of({source, block_size}, said.digests[done + i]));
      }
    }
    serve(share, stretch, decision.copy);
  }
}

void ReadGather::serve(const Share& share, Stretch& stretch, std::uint32_t copy) {
  if (stretch.copies[copy].state != CopyState::Data)
    for (std::uint32_t i = 0; i < stretch.count; ++i)
      std::memset(place_of(share.blocks.at(stretch.begin + i)), 0, layout_.block_size);
  stretch.served = copy;
  served_count_ += stretch.count;
}

void ReadGather::refuse(const SlotBlocks& asked) {
  for (const BlockRun& run : asked.blocks) {
    Share& share = share_with(run.first);
    const auto begin = static_cast<std::uint32_t>((run.first - share.blocks.first) / share.blocks.step);
    std::size_t at = share.split_at(begin);
    for (const std::size_t after = share.split_at(begin + run.count); at < after; ++at)
      share.stretches[at].copies[copy_on(share, asked.slot)].state = CopyState::NoAnswer;
  }
}

bool ReadGather::is_failed() const {
  for (const Share& share : shares_)
    for (const Stretch& stretch : share.stretches)
      if (!stretch.served && decide_read(stretch.copies).step == ReadStep::Fail) return true;
  return false;
}

void ReadGather::forget_silent() {
  // A copy seen to be bad is asked again too: it may have been mended meanwhile.
  for (Share& share : shares_)
    for (Stretch& stretch : share.stretches)
      if (!stretch.served) stretch.copies.assign(stretch.copies.size(), CopyView{});
}

std::vector<Slot> ReadGather::silent() const {
  std::set<Slot> slots;
  for (const Share& share : shares_) {
    for (const Stretch& stretch : share.stretches) {
      if (stretch.served) continue;
      for (std::uint32_t copy = 0; copy < stretch.copies.size(); ++copy)
        if (stretch.copies[copy].state == CopyState::NoAnswer || stretch.copies[copy].state == CopyState::Unknown)
          slots.insert(share.holders[copy]);
    }
  }
  return {slots.begin(), slots.end()};
}

std::vector<SlotBlocks> ReadGather::suspects() const {
  BlockCollector wanted;
  for (const Share& share : shares_) {
    for (const Stretch& stretch : share.stretches) {
      if (!stretch.served) continue;
      for (std::uint32_t copy = 0; copy < stretch.copies.size(); ++copy)
        if (is_suspect(stretch.copies[copy], stretch.copies[*stretch.served]))
          wanted.add(share.holders[copy], share.blocks_of(stretch));
    }
  }
  return wanted.take();
}

std::vector<AuditQuestion> ReadGather::audit_questions() const {
  MENDFS_ASSERT(is_served());
  std::vector<AuditQuestion> questions;
  for (const Share& share : shares_) {
    for (std::uint32_t copy = 0; copy < share.holders.size(); ++copy) {
      const auto is_asked = [copy](const Stretch& stretch) { return stretch.copies[copy].state == CopyState::Unasked; };
      if (std::none_of(share.stretches.begin(), share.stretches.end(), is_asked)) continue;
      const Slot slot = share.holders[copy];
      auto question = std::find_if(questions.begin(), questions.end(),
                                   [slot](const AuditQuestion& known) { return known.slot == slot; });
      if (question == questions.end()) question = questions.insert(question, {slot, {}});
      for (const Stretch& stretch : share.stretches)
        if (is_asked(stretch)) add_given(share, stretch, question->given);
    }
  }
  return questions;
}

/// As part of the last run if it continues that.
void ReadGather::add_given(const Share& share, const Stretch& stretch, std::vector<GivenRun>& runs) {
  const CopyView& view = stretch.copies[*stretch.served];
  const Slot slot = share.holders[*stretch.served];
  const BlockRun blocks = share.blocks_of(stretch);
  const bool continues = !runs.empty() && runs.back().blocks.at(runs.back().blocks.count) == blocks.first &&
                         runs.back().slot == slot && runs.back().state == view.state &&
                         runs.back().version == view.version;
  if (!continues) {
    runs.push_back({blocks, slot, view.state, view.version, stretch.sums});
    return;
  }
  runs.back().blocks.count += blocks.count;
  runs.back().sums.insert(runs.back().sums.end(), stretch.sums.begin(), stretch.sums.end());
}

}  // namespace mendfs::client
