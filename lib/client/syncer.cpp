#include "client/syncer.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "client/backoff.h"
#include "protocol/timing.h"

namespace mendfs::client {
namespace {

bool is_of_life(const UnsyncedIn& in, const protocol::HolderPosition& life) {
  return in.boot == life.boot && in.generation == life.generation;
}

/// The server has restarted since, and what was needed had been on its device by then.
bool is_kept(const UnsyncedIn& in, std::uint64_t position, const protocol::SyncReply& reply) {
  return in.generation == reply.durable.generation &&
         std::any_of(reply.earlier.begin(), reply.earlier.end(), [&](const protocol::EarlierLife& life) {
           return life.boot == in.boot && position <= life.kept_until;
         });
}

/// Forgets that it was to be synced up to `position`; what was written later stays.
void forget(OpenFile& file, const UnsyncedIn& in, std::uint64_t position) {
  const auto known = file.unsynced.find(in);
  if (known != file.unsynced.end() && known->second <= position) file.unsynced.erase(known);
}

}  // namespace

Task<Result<void>> Syncer::sync(std::shared_ptr<OpenFile> file) {
  std::map<Slot, Needs> by_slot;
  for (const auto& [in, position] : file->unsynced) by_slot[in.slot].push_back({file, in, position});
  std::vector<Task<Result<Needs>>> tasks;
  for (auto& [slot, needs] : by_slot) tasks.push_back(sync_slot(slot, std::move(needs)));
  std::vector<Result<Needs>> results = co_await all_of(loop_, std::move(tasks));

  std::map<Slot, Needs> restarted;
  std::map<Slot, std::set<Slot>> restarted_holders;  // by range
  for (Result<Needs>& result : results) {
    if (!result) co_return result.error();
    for (Need& need : *result) {
      restarted_holders[need.in.range].insert(need.in.slot);
      restarted[need.in.slot].push_back(std::move(need));
    }
  }
  bool is_lost = false;
  for (const auto& [range, holders] : restarted_holders) {
    if (holders.size() < file->layout.copy_count) continue;
    std::erase_if(file->unsynced, [&, lost = range](const auto& entry) { return entry.first.range == lost; });
    is_lost = true;
  }
  if (is_lost) co_return Error{ErrorCode::Io, "every server that held these bytes restarted before they were synced"};
  std::vector<Task<Result<void>>> again;
  for (const auto& [slot, needs] : restarted) again.push_back(sync_restarted(slot, &needs, Patience::Fsync));
  const std::vector<Result<void>> caught_up = co_await all_of(loop_, std::move(again));
  for (const Result<void>& result : caught_up)
    if (!result) co_return result;
  // The others had all of it durable before.
  for (const auto& [slot, needs] : restarted)
    for (const Need& need : needs) forget(*need.file, need.in, need.position);
  co_return Result<void>{};
}

Task<Result<void>> Syncer::sync_one_copy(std::shared_ptr<OpenFile> file) {
  std::map<Slot, Slot> chosen;  // by range
  for (const auto& [in, position] : file->unsynced) {
    const auto [known, is_first] = chosen.try_emplace(in.range, in.slot);
    if (!is_first && !servers_.is_up(known->second)) known->second = in.slot;
  }
  std::map<Slot, Needs> by_slot;
  for (const auto& [in, position] : file->unsynced)
    if (chosen.at(in.range) == in.slot) by_slot[in.slot].push_back({file, in, position});
  std::vector<Task<Result<Needs>>> tasks;
  for (auto& [slot, needs] : by_slot) tasks.push_back(sync_slot(slot, std::move(needs)));
  const std::vector<Result<Needs>> results = co_await all_of(loop_, std::move(tasks));
  for (const Result<Needs>& result : results)
    if (!result) co_return result.error();
  co_return Result<void>{};
}

Task<void> Syncer::sync_returned(Slot slot, std::vector<std::shared_ptr<OpenFile>> files) {
  Needs needs;
  for (std::shared_ptr<OpenFile>& file : files)
    for (const auto& [in, position] : file->unsynced)
      if (in.slot == slot) needs.push_back({file, in, position});
  files.clear();
  if (needs.empty()) co_return;
  const Result<void> synced = co_await sync_restarted(slot, &needs, Patience::Background);
  if (!synced) co_return;
  for (const Need& need : needs) {
    Need copy = need;
    const bool restored = co_await is_restored(std::move(copy));
    if (restored) forget(*need.file, need.in, need.position);
  }
}

/// A server that has caught up has got back what it had lost if the other holders had lost nothing until then.
Task<bool> Syncer::is_restored(Need need) {
  std::set<Slot> others;
  for (const auto& [in, position] : need.file->unsynced)
    if (in.range == need.in.range && in.slot != need.in.slot) others.insert(in.slot);
  for (const Slot other : others) {
    std::shared_ptr<OpenFile> file = need.file;
    const Result<protocol::SyncReply> reply = co_await ask(other, std::move(file), 0, Patience::Background);
    if (!reply) co_return false;
    for (const auto& [in, position] : need.file->unsynced) {
      if (in.range != need.in.range || in.slot != other) continue;
      if (!is_of_life(in, reply->durable) && !is_kept(in, position, *reply)) co_return false;
    }
  }
  co_return true;
}

/// Syncs one server up to what is needed; what it has lost in a restart comes back.
Task<Result<Syncer::Needs>> Syncer::sync_slot(Slot slot, Needs needs) {
  std::uint64_t furthest = 0;
  for (const Need& need : needs) furthest = std::max(furthest, need.position);
  protocol::SyncReply now{servers_.durable(slot), {}};
  const bool is_known = std::all_of(needs.begin(), needs.end(), [&](const Need& need) {
    return is_of_life(need.in, now.durable) && need.position <= now.durable.position;
  });
  if (!is_known) {
    std::shared_ptr<OpenFile> file = needs.front().file;
    Result<protocol::SyncReply> synced = co_await ask(slot, std::move(file), furthest, Patience::Fsync);
    if (!synced) co_return synced.error();
    now = std::move(*synced);
  }
  Needs restarted;
  for (Need& need : needs) {
    if (is_of_life(need.in, now.durable) || is_kept(need.in, need.position, now))
      forget(*need.file, need.in, need.position);
    else
      restarted.push_back(std::move(need));
  }
  co_return restarted;
}

/// The server may have lost what it had not synced: another holder has it, and gives it back before the server answers
/// reads of that range again.
Task<Result<void>> Syncer::sync_restarted(Slot slot, const Needs* needs, Patience patience) {
  const protocol::Channel& channel = servers_.channel(slot);
  Time connected{};
  do {
    connected = channel.since();
    std::set<Slot> asked;
    for (const Need& need : *needs) {
      if (!asked.insert(need.in.range).second) continue;
      std::shared_ptr<OpenFile> file = need.file;
      const Result<void> caught_up = co_await until_caught_up(slot, std::move(file), need.in.range, patience);
      if (!caught_up) co_return caught_up;
    }
    std::shared_ptr<OpenFile> file = needs->front().file;
    const Result<protocol::SyncReply> synced = co_await ask(slot, std::move(file), UINT64_MAX, patience);
    if (!synced) co_return synced.error();
    // Over a new connection it may be another life that was synced.
  } while (channel.since() != connected);
  co_return Result<void>{};
}

Task<Result<protocol::SyncReply>> Syncer::ask(Slot slot, std::shared_ptr<OpenFile> file, std::uint64_t position,
                                              Patience patience) {
  protocol::Channel& channel = servers_.channel(slot);
  std::string reason = "no answer yet";
  const std::vector<Slot> slots{slot};
  std::optional<WaitLog::Entry> wait;
  if (patience == Patience::Fsync)
    wait.emplace(waits_, "fsync", file->inode, [this, &slots, &reason] { return servers_.blame(slots, reason); });
  const Duration timeout = wait ? timeout_ : Duration::zero();
  Backoff backoff;
  for (;;) {
    const Duration waited = wait ? wait->waited() : Duration::zero();
    if (timeout > Duration::zero() && waited >= timeout)
      co_return Error{ErrorCode::Io, "not synced in time: " + reason};
    if (!channel.is_up()) {
      (void)co_await channel.until_up(loop_.now() + timing::kRetryBackoffMax);
      continue;
    }
    protocol::SyncRequest request{position};
    const Time deadline = loop_.now() + attempt_limit(timing::kWriteResendAfter, timeout, waited);
    auto answer = co_await channel.call(std::move(request), {}, deadline);
    if (answer) {
      protocol::SyncReply reply = std::move(answer->reply);
      reply.durable.slot = slot;
      servers_.note_durable(reply.durable);
      co_return reply;
    }
    if (answer.code() != ErrorCode::Unavailable && answer.code() != ErrorCode::OutcomeUnknown)
      co_return Error{ErrorCode::Io, answer.error().message};
    reason = answer.error().message;
    co_await sleep_for(loop_, backoff.next());
  }
}

Task<Result<void>> Syncer::until_caught_up(Slot slot, std::shared_ptr<OpenFile> file, Slot range, Patience patience) {
  protocol::Channel& channel = servers_.channel(slot);
  std::string reason = "catching up";
  const std::vector<Slot> slots{slot};
  std::optional<WaitLog::Entry> wait;
  if (patience == Patience::Fsync)
    wait.emplace(waits_, "fsync", file->inode, [this, &slots, &reason] { return servers_.blame(slots, reason); });
  Backoff backoff;
  for (;;) {
    if (wait && timeout_ > Duration::zero() && wait->waited() >= timeout_)
      co_return Error{ErrorCode::Io, "not synced in time: " + reason};
    protocol::ReadRequest request{file->ref(), {}};
    const BlockRun first_block{first_block_of(range, file->layout), file->layout.slot_count, 1};
    request.parts.push_back({protocol::ReadMode::Digest, first_block});
    auto answer = co_await channel.call(std::move(request), {}, loop_.now() + timing::kAuditTimeout);
    const bool knows =
        answer && !answer->reply.runs.empty() && answer->reply.runs.front().state != protocol::BlockState::Unknown;
    if (knows) co_return Result<void>{};
    // A deleted file has nothing left to wait for.
    if (answer.code() == ErrorCode::StaleHandle) co_return Result<void>{};
    if (answer.code() == ErrorCode::Stale) {
      const Result<void> refreshed = co_await refresh_(file);
      if (!refreshed) co_return refreshed;
    }
    if (!answer) reason = answer.error().message;
    co_await sleep_for(loop_, backoff.next());
  }
}

}  // namespace mendfs::client
