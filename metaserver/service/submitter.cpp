#include "metaserver/service/submitter.h"

#include <fmt/format.h>

#include <algorithm>

#include "protocol/timing.h"

namespace mendfs::metaserver {
namespace {

/// Bounds of one batch: more would only delay its first command.
constexpr std::size_t kBatchCountMax = 256;
constexpr std::size_t kBatchBytesMax = 2u << 20;
/// No command of ours is larger: the greatest carries an extended attribute.
constexpr std::size_t kCommandSizeMax = 1u << 20;
/// Leaves the rest of kMetaLogSyncMax to the device.
constexpr auto kSyncDelay = timing::kMetaLogSyncMax / 2;

template <class... Commands>
bool is_one_of(const Command::Body& body) {
  return (std::holds_alternative<Commands>(body) || ...);
}

/// Dataservers are told of it as soon as it is applied, and cannot take back what they have recorded.
bool must_be_durable_first(const Command::Body& body) {
  if (is_one_of<StartEpoch, CreateCluster, GrantTerm, ConfirmTerm, ConfirmGeneration, DeclareLost, LapseSession,
                DeleteInode>(body))
    return true;
  const auto* change = std::get_if<protocol::SetAttributesRequest>(&body);
  return change != nullptr && change->size.has_value();
}

}  // namespace

Submitter::Submitter(Parts parts, std::size_t checkpoint_bytes)
    : parts_(parts), checkpoint_bytes_(checkpoint_bytes), arrived_(parts.loop), failed_(parts.loop) {
  scope_.spawn(run());
}

Error Submitter::unavailable() const {
  return {ErrorCode::Unavailable, "the metaserver has stopped: " + failure_->message};
}

Task<Result<Outcome>> Submitter::submit(Command::Body body) {
  if (failure_) co_return unavailable();
  auto [promise, future] = make_promise<Result<Outcome>>(parts_.loop);
  queue_.push_back({std::move(body), promise});
  arrived_.notify_all();
  co_return co_await future;
}

Task<Result<Outcome>> Submitter::submit_durable(Command::Body body) {
  Result<Outcome> outcome = co_await submit(std::move(body));
  if (!outcome.ok()) co_return outcome;
  MENDFS_CO_TRY_VOID(co_await sync(parts_.log.accepted()));
  co_return outcome;
}

Task<Result<void>> Submitter::sync(LogIndex index) {
  if (failure_) co_return unavailable();
  const Result<void> synced = co_await parts_.log.sync(index);
  if (synced.ok()) co_return synced;
  fail(synced.error());
  co_return unavailable();
}

Task<void> Submitter::run() {
  while (!failure_) {
    if (queue_.empty()) {
      (void)co_await arrived_.next();
      continue;
    }
    Batch batch = take_batch();
    if (!batch.commands.empty()) co_await commit(std::move(batch));
  }
}

Submitter::Batch Submitter::take_batch() {
  Batch batch;
  while (!queue_.empty() && batch.commands.size() < kBatchCountMax) {
    Command command{.time = parts_.loop.wall_now(), .epoch = epoch_, .body = queue_.front().body};
    std::string entry = encode(command);
    if (entry.size() > kCommandSizeMax) {
      queue_.front().answer.set(Error{ErrorCode::TooBig, "this request is larger than any can be"});
      queue_.pop_front();
      continue;
    }
    if (batch.bytes + entry.size() > kBatchBytesMax) break;
    batch.bytes += entry.size();
    batch.durable_first = batch.durable_first || must_be_durable_first(command.body);
    batch.commands.push_back(std::move(command));
    batch.entries.push_back(std::move(entry));
    batch.answers.push_back(std::move(queue_.front().answer));
    queue_.pop_front();
  }
  return batch;
}

Task<void> Submitter::commit(Batch batch) {
  const LogIndex first = parts_.names.applied_index() + 1;
  const Result<void> appended = co_await parts_.log.append(first, std::move(batch.entries));
  if (appended.code() == ErrorCode::NoSpace) {
    const Error full{ErrorCode::NoSpace, "the metaserver's disk is full: " + appended.error().message};
    for (const Answer& answer : batch.answers) answer.set(full);
    co_return;
  }
  if (!appended.ok()) fail(appended.error());
  if (batch.durable_first && !failure_) (void)co_await sync(parts_.log.accepted());
  std::vector<Outcome> outcomes = apply(first, batch.commands);
  if (failure_) {
    for (const Answer& answer : batch.answers) answer.set(unavailable());
    co_return;
  }
  for (std::size_t i = 0; i < outcomes.size(); ++i) batch.answers[i].set(std::move(outcomes[i]));
  bytes_since_checkpoint_ += batch.bytes;
  if (!sync_planned_ && parts_.log.durable() < parts_.log.accepted()) scope_.spawn(sync_soon());
  if (!checkpoint_running_) scope_.spawn(checkpoint_when_due());
}

std::vector<Outcome> Submitter::apply(LogIndex first, const std::vector<Command>& commands) {
  std::vector<Outcome> outcomes;
  for (std::size_t i = 0; i < commands.size() && !failure_; ++i) {
    Result<Outcome> outcome = parts_.names.apply(first + i, commands[i]);
    if (!outcome.ok()) {
      fail(outcome.error());
      break;
    }
    const protocol::CallHeader* call = call_of(commands[i]);
    parts_.feed.add(first + i, call != nullptr ? call->session : SessionId{}, outcome->touched);
    outcomes.push_back(std::move(*outcome));
  }
  if (failure_) return {};
  const Result<void> committed = parts_.names.commit_if_due();
  if (!committed.ok()) fail(committed.error());
  return outcomes;
}

Task<void> Submitter::sync_soon() {
  sync_planned_ = true;
  co_await sleep_for(parts_.loop, kSyncDelay);
  sync_planned_ = false;
  if (!failure_) (void)co_await sync(parts_.log.accepted());
}

Task<void> Submitter::checkpoint_when_due() {
  if (parts_.kv.unflushed_size() < checkpoint_bytes_ && bytes_since_checkpoint_ < checkpoint_bytes_) co_return;
  const Result<void> done = co_await checkpoint();
  if (!done.ok()) fail(done.error());
}

Task<Result<void>> Submitter::checkpoint() {
  if (failure_) co_return unavailable();
  if (checkpoint_running_) co_return Result<void>();
  checkpoint_running_ = true;
  // Most of the log goes to the device while requests go on; what came meanwhile is little, and must not grow again
  // before the store fixes what it will flush.
  Result<void> done = co_await parts_.log.sync(parts_.log.accepted());
  if (done.ok()) done = parts_.log.sync_now();
  if (done.ok()) done = parts_.names.commit();
  const LogIndex covered = parts_.names.applied_index();
  bytes_since_checkpoint_ = 0;
  if (done.ok()) done = co_await parts_.kv.checkpoint();
  if (done.ok()) done = co_await parts_.log.trim(covered + 1);
  checkpoint_running_ = false;
  co_return done;
}

void Submitter::fail(Error error) {
  if (failure_) return;
  parts_.logger.error("the metaserver stops: {}", error.message);
  failure_ = std::move(error);
  for (const Pending& pending : queue_) pending.answer.set(unavailable());
  queue_.clear();
  arrived_.notify_all();
  failed_.notify_all();
}

Task<Error> Submitter::failed() {
  while (!failure_) (void)co_await failed_.next();
  co_return *failure_;
}

}  // namespace mendfs::metaserver
