#include "client/syncer.h"

#include <algorithm>
#include <set>
#include <utility>

#include "client/backoff.h"
#include "protocol/timing.h"

namespace mendfs::client {
namespace {

/// Forgets what is durable now; what was written meanwhile stays.
void forget(OpenFile& file, Slot range, Slot slot, const protocol::HolderPosition& durable) {
  const auto known = file.unsynced.find({range, slot});
  if (known == file.unsynced.end()) return;
  if (!is_same_life(known->second, durable) || known->second.position <= durable.position) file.unsynced.erase(known);
}

}  // namespace

Task<Result<void>> Syncer::sync(std::shared_ptr<OpenFile> file) {
  std::map<Slot, Positions> by_slot;
  std::set<Slot> safe_ranges;
  for (const auto& [key, position] : file->unsynced) {
    by_slot[key.second].emplace(key.first, position);
    // A holder without a position here is durable already: an earlier sync of one copy, or one that failed half way.
    for (const Slot holder : holders_of(key.first, file->layout.slot_count, file->layout.copy_count))
      if (!file->unsynced.contains({key.first, holder})) safe_ranges.insert(key.first);
  }

  std::vector<Task<Result<SlotResult>>> tasks;
  for (auto& [slot, positions] : by_slot) tasks.push_back(sync_slot(file, slot, std::move(positions)));
  const std::vector<Result<SlotResult>> results = co_await all_of(loop_, std::move(tasks));

  std::map<Slot, std::vector<Slot>> restarted;
  auto slot = by_slot.begin();
  for (const Result<SlotResult>& result : results) {
    if (!result) co_return result.error();
    safe_ranges.insert(result->durable.begin(), result->durable.end());
    if (!result->restarted.empty()) restarted.emplace(slot->first, result->restarted);
    ++slot;
  }
  std::vector<Task<Result<SlotResult>>> again;
  for (auto& [restarted_slot, ranges] : restarted) {
    for (const Slot range : ranges) {
      if (safe_ranges.count(range) > 0) continue;
      for (const Slot holder : holders_of(range, file->layout.slot_count, file->layout.copy_count))
        file->unsynced.erase({range, holder});
      co_return Error{ErrorCode::Io, "every server that held these bytes restarted before they were synced"};
    }
    again.push_back(sync_restarted(file, restarted_slot, std::move(ranges)));
  }
  const std::vector<Result<SlotResult>> caught_up = co_await all_of(loop_, std::move(again));
  for (const Result<SlotResult>& result : caught_up)
    if (!result) co_return result.error();
  co_return Result<void>{};
}

Task<Result<void>> Syncer::sync_one_copy(std::shared_ptr<OpenFile> file) {
  std::map<Slot, protocol::HolderPosition> chosen;  // by range
  for (const auto& [key, position] : file->unsynced) {
    const auto [known, is_first] = chosen.try_emplace(key.first, position);
    if (!is_first && !servers_.is_up(known->second.slot)) known->second = position;
  }
  std::map<Slot, Positions> by_slot;
  for (const auto& [range, position] : chosen) by_slot[position.slot].emplace(range, position);
  std::vector<Task<Result<SlotResult>>> tasks;
  for (auto& [slot, positions] : by_slot) tasks.push_back(sync_slot(file, slot, std::move(positions)));
  const std::vector<Result<SlotResult>> results = co_await all_of(loop_, std::move(tasks));
  for (const Result<SlotResult>& result : results)
    if (!result) co_return result.error();
  co_return Result<void>{};
}

Task<Result<Syncer::SlotResult>> Syncer::sync_slot(std::shared_ptr<OpenFile> file, Slot slot, Positions positions) {
  SlotResult result;
  std::uint64_t furthest = 0;
  bool all_durable = true;
  for (const auto& [range, position] : positions) {
    furthest = std::max(furthest, position.position);
    all_durable = all_durable && servers_.is_durable(position);
  }
  protocol::HolderPosition durable = positions.begin()->second;
  durable.position = furthest;
  if (!all_durable) {
    MENDFS_CO_TRY(durable, co_await ask(file, slot, furthest));
  }
  for (const auto& [range, position] : positions) {
    if (is_same_life(position, durable)) {
      forget(*file, range, slot, durable);
      result.durable.push_back(range);
    } else {
      result.restarted.push_back(range);
    }
  }
  co_return result;
}

/// The server lost what it had not synced; another holder has it, and gives it back before the server answers reads.
Task<Result<Syncer::SlotResult>> Syncer::sync_restarted(std::shared_ptr<OpenFile> file, Slot slot,
                                                        std::vector<Slot> ranges) {
  SlotResult result;
  for (const Slot range : ranges) MENDFS_CO_TRY_VOID(co_await until_caught_up(file, range, slot));
  MENDFS_CO_TRY(const protocol::HolderPosition durable, co_await ask(file, slot, UINT64_MAX));
  for (const Slot range : ranges) {
    forget(*file, range, slot, durable);
    result.durable.push_back(range);
  }
  co_return result;
}

Task<Result<protocol::HolderPosition>> Syncer::ask(std::shared_ptr<OpenFile> file, Slot slot, std::uint64_t position) {
  protocol::Channel& channel = servers_.channel(slot);
  std::string reason = "no answer yet";
  const std::vector<Slot> slots{slot};
  WaitLog::Entry wait(waits_, "fsync", file->inode, [this, &slots, &reason] { return servers_.blame(slots, reason); });
  Backoff backoff;
  for (;;) {
    if (timeout_ > Duration::zero() && wait.waited() >= timeout_)
      co_return Error{ErrorCode::Io, "not synced in time: " + reason};
    if (!channel.is_up()) {
      (void)co_await channel.until_up(loop_.now() + timing::kRetryBackoffMax);
      continue;
    }
    protocol::SyncRequest request{position};
    auto answer = co_await channel.call(
        std::move(request), {}, loop_.now() + attempt_limit(timing::kWriteResendAfter, timeout_, wait.waited()));
    if (answer) {
      protocol::HolderPosition durable = answer->reply;
      durable.slot = slot;
      servers_.note_durable(durable);
      co_return durable;
    }
    if (answer.code() != ErrorCode::Unavailable && answer.code() != ErrorCode::OutcomeUnknown)
      co_return Error{ErrorCode::Io, answer.error().message};
    reason = answer.error().message;
    co_await sleep_for(loop_, backoff.next());
  }
}

Task<Result<void>> Syncer::until_caught_up(std::shared_ptr<OpenFile> file, Slot range, Slot slot) {
  protocol::Channel& channel = servers_.channel(slot);
  std::string reason = "catching up";
  const std::vector<Slot> slots{slot};
  WaitLog::Entry wait(waits_, "fsync", file->inode, [this, &slots, &reason] { return servers_.blame(slots, reason); });
  Backoff backoff;
  for (;;) {
    if (timeout_ > Duration::zero() && wait.waited() >= timeout_)
      co_return Error{ErrorCode::Io, "not synced in time: " + reason};
    protocol::ReadRequest request{file->ref(), {}};
    const BlockRun first_block{first_block_of(range, file->layout), file->layout.slot_count, 1};
    request.parts.push_back({protocol::ReadMode::Digest, first_block});
    auto answer = co_await channel.call(std::move(request), {}, loop_.now() + timing::kAuditTimeout);
    const bool knows =
        answer && !answer->reply.runs.empty() && answer->reply.runs.front().state != protocol::BlockState::Unknown;
    if (knows) co_return Result<void>{};
    if (!answer) reason = answer.error().message;
    co_await sleep_for(loop_, backoff.next());
  }
}

}  // namespace mendfs::client
