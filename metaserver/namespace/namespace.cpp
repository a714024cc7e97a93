#include "metaserver/namespace/namespace.h"

#include "metaserver/namespace/inodes.h"
#include "metaserver/namespace/operations.h"
#include "metaserver/namespace/replies.h"
#include "metaserver/namespace/state_keys.h"
#include "metaserver/namespace/touched.h"

namespace mendfs::metaserver {

namespace {

Outcome outcome_of(const Error& refusal) {
  Outcome outcome;
  outcome.code = refusal.code;
  outcome.message = refusal.message;
  return outcome;
}

Outcome outcome_of(ReplyRecord reply) {
  Outcome outcome;
  outcome.code = reply.code;
  outcome.message = std::move(reply.message);
  outcome.body = std::move(reply.body);
  outcome.index = reply.index;
  outcome.repeated = true;
  return outcome;
}

Result<void> check_epoch(State& state, const Command& command) {
  if (std::holds_alternative<StartEpoch>(command.body)) return {};
  MENDFS_TRY(const Counters counters, load_counters(state));
  if (command.epoch != counters.epoch)
    return Error{ErrorCode::Unavailable, "another start of the metaserver has taken over"};
  return {};
}

}  // namespace

Result<void> Namespace::load() {
  MENDFS_TRY(const std::optional<std::uint32_t> version, state_.get_record<std::uint32_t>(keys::version()));
  if (version && *version != kStateVersion)
    return Error{ErrorCode::Corruption, "the metadata store was written by another version of the metaserver"};
  MENDFS_TRY(const std::optional<std::uint64_t> applied, state_.get_record<std::uint64_t>(keys::applied()));
  applied_index_ = applied.value_or(0);
  if (!version) {
    state_.put_record(keys::version(), kStateVersion);
    state_.accept();
  }
  return {};
}

Result<std::optional<Outcome>> Namespace::remembered(const protocol::CallHeader& call) {
  MENDFS_TRY(std::optional<ReplyRecord> reply, find_reply(state_, kept_sequences_, call));
  if (!reply) return std::optional<Outcome>();
  return std::optional<Outcome>(outcome_of(std::move(*reply)));
}

Result<Outcome> Namespace::apply(std::uint64_t index, const Command& command) {
  MENDFS_ASSERT(index == applied_index_ + 1);
  Result<Outcome> outcome = apply_once(index, command);
  if (outcome.ok()) applied_index_ = index;
  return outcome;
}

Result<Outcome> Namespace::apply_once(std::uint64_t index, const Command& command) {
  const protocol::CallHeader* call = call_of(command);
  if (call != nullptr) {
    Result<std::optional<Outcome>> before = remembered(*call);
    if (!before.ok() && is_damage(before.code())) return before.error();
    if (!before.ok()) return outcome_of(before.error());
    if (*before) return std::move(**before);
  }

  Result<std::string> body = apply_new(index, command);
  if (!body.ok()) state_.discard();
  if (!body.ok() && is_damage(body.code())) return body.error();
  Outcome outcome;
  if (body.ok()) {
    outcome.body = std::move(*body);
    outcome.index = index;
    // Who writes a file is nobody's to cache.
    if (!std::holds_alternative<protocol::UnmarkRequest>(command.body)) {
      MENDFS_TRY(outcome.touched, touched_by_command(state_));
    }
  } else {
    outcome = outcome_of(body.error());
  }
  // Unavailable means "ask again": a remembered one would be the answer for ever.
  if (call != nullptr && outcome.code != ErrorCode::Unavailable) {
    ReplyRecord reply;
    reply.index = outcome.index;
    reply.code = outcome.code;
    reply.message = outcome.message;
    reply.body = outcome.body;
    MENDFS_TRY_VOID(keep_reply(state_, kept_sequences_, *call, std::move(reply)));
  }
  state_.accept();
  return outcome;
}

Result<std::string> Namespace::apply_new(std::uint64_t index, const Command& command) {
  MENDFS_TRY_VOID(check_epoch(state_, command));
  Context context{state_, paths_, queues_, index, command.time, command.epoch};
  return std::visit([&](const auto& body) { return apply_body(context, body); }, command.body);
}

Result<void> Namespace::commit_if_due() {
  if (!state_.is_commit_due()) return {};
  return commit();
}

Result<void> Namespace::commit() {
  state_.put_record(keys::applied(), applied_index_);
  state_.accept();
  return state_.commit();
}

}  // namespace mendfs::metaserver
