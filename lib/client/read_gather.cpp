#include "client/read_gather.h"

#include <algorithm>
#include <map>
#include <utility>

#include "block/checksum.h"
#include "block/placement.h"

namespace mendfs::client {
namespace {

/// Collects blocks, range by range and ascending, into runs for each server.
class RunCollector {
 public:
  explicit RunCollector(std::uint32_t step) : step_(step) {}

  void add(Slot slot, BlockIndex block) {
    std::vector<BlockRun>& runs = runs_[slot];
    if (!runs.empty() && runs.back().at(runs.back().count) == block)
      ++runs.back().count;
    else
      runs.push_back({block, step_, 1});
  }
  std::vector<SlotRequest> as_requests(protocol::ReadMode mode) const {
    std::vector<SlotRequest> requests;
    for (const auto& [slot, runs] : runs_) {
      requests.push_back({slot, {}});
      for (const BlockRun& run : runs) requests.back().parts.push_back({mode, run});
    }
    return requests;
  }
  std::vector<MendRequest> as_mends() && {
    std::vector<MendRequest> mends;
    for (auto& [slot, runs] : runs_) mends.push_back({slot, std::move(runs)});
    return mends;
  }

 private:
  std::uint32_t step_;
  std::map<Slot, std::vector<BlockRun>> runs_;
};

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

CopyState state_of(protocol::BlockState state) {
  switch (state) {
    case protocol::BlockState::Data:
      return CopyState::Data;
    case protocol::BlockState::Absent:
      return CopyState::Absent;
    case protocol::BlockState::Hole:
      return CopyState::Hole;
    case protocol::BlockState::Unknown:
      return CopyState::Unknown;
    case protocol::BlockState::Lost:
      return CopyState::Lost;
    case protocol::BlockState::Bad:
      return CopyState::Bad;
  }
  return CopyState::Unknown;
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

std::vector<SlotRequest> ReadGather::next_round(const std::function<bool(Slot)>& is_usable, std::uint64_t rotation) {
  std::vector<bool> usable;
  for (Slot slot = 0; slot < layout_.slot_count; ++slot) usable.push_back(is_usable(slot));
  const std::vector<Slot> chosen = choose_slots(layout_, usable, rotation);
  RunCollector wanted(layout_.slot_count);
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
  return wanted.as_requests(protocol::ReadMode::Data);
}

Result<void> ReadGather::check(const SlotRequest& asked, const protocol::ReadReply& reply,
                               std::uint64_t data_size) const {
  const Error nonsense{ErrorCode::Malformed, "the server's answer does not fit what it was asked"};
  std::size_t part = 0;
  std::uint32_t done = 0;
  std::uint64_t data_expected = 0;
  for (const protocol::ReadRun& run : reply.runs) {
    if (part == asked.parts.size()) return nonsense;
    const protocol::ReadPart& want = asked.parts[part];
    if (run.part != part || run.blocks.count == 0 || run.blocks.count > want.blocks.count - done) return nonsense;
    if (run.blocks.first != want.blocks.at(done)) return nonsense;
    if (run.blocks.count > 1 && run.blocks.step != want.blocks.step) return nonsense;
    const bool is_data = run.state == protocol::BlockState::Data;
    if (run.digests.size() != (is_data ? run.blocks.count : 0)) return nonsense;
    if (is_data && want.mode == protocol::ReadMode::Data)
      data_expected += std::uint64_t{run.blocks.count} * layout_.block_size;
    done += run.blocks.count;
    if (done == want.blocks.count) {
      ++part;
      done = 0;
    }
  }
  if (part != asked.parts.size() || data_expected != data_size) return nonsense;
  return {};
}

Result<void> ReadGather::accept(const SlotRequest& asked, const protocol::ReadReply& reply, const Buffer& data) {
  const Result<void> fits = check(asked, reply, data.size());
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
    seen.state = state_of(run.state);
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

void ReadGather::refuse(const SlotRequest& asked) {
  for (const protocol::ReadPart& part : asked.parts)
    for (std::uint32_t i = 0; i < part.blocks.count; ++i)
      view(part.blocks.at(i), copy_of(part.blocks.at(i), asked.slot)).state = CopyState::NoAnswer;
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

std::vector<MendRequest> ReadGather::suspects() const {
  RunCollector wanted(layout_.slot_count);
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
  return std::move(wanted).as_mends();
}

std::vector<SlotRequest> ReadGather::audit_requests() const {
  MENDFS_ASSERT(is_served());
  RunCollector wanted(layout_.slot_count);
  for (Slot range = 0; range < layout_.slot_count; ++range) {
    const BlockRun share = share_of(first_, count_, range, layout_);
    for (std::uint32_t i = 0; i < share.count; ++i) {
      const BlockIndex block = share.at(i);
      const std::span<const CopyView> copies = views_of(block);
      for (std::uint32_t copy = 0; copy < copies.size(); ++copy)
        if (copies[copy].state == CopyState::Unasked) wanted.add(slot_of(block, copy, layout_), block);
    }
  }
  return wanted.as_requests(protocol::ReadMode::Digest);
}

Result<ReadGather::AuditResult> ReadGather::compare(const SlotRequest& asked, const protocol::ReadReply& reply) const {
  MENDFS_TRY_VOID(check(asked, reply, 0));
  AuditResult result;
  RunCollector damaged(layout_.slot_count);
  RunCollector older(layout_.slot_count);
  for (const protocol::ReadRun& run : reply.runs) {
    for (std::uint32_t i = 0; i < run.blocks.count; ++i) {
      const BlockIndex block = run.blocks.first + std::uint64_t{i} * layout_.slot_count;
      CopyView other{state_of(run.state), run.version, {}};
      if (other.state == CopyState::Data) other.digest = run.digests[i];
      const std::uint32_t served = served_[block - first_];
      switch (audit(views_of(block)[served], other)) {
        case Audit::Same:
          ++result.agreed;
          break;
        case Audit::NoVerdict:
          break;
        case Audit::Damaged:
          damaged.add(asked.slot, block);
          break;
        case Audit::OtherOlder:
          older.add(asked.slot, block);
          break;
        case Audit::ServedOlder:
          older.add(slot_of(block, served, layout_), block);
          break;
        case Audit::Contradiction:
          result.contradictions.push_back(block);
          break;
      }
    }
  }
  result.damaged = std::move(damaged).as_mends();
  result.older = std::move(older).as_mends();
  return result;
}

}  // namespace mendfs::client
