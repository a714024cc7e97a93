#include "metaserver/namespace/replies.h"

#include <algorithm>
#include <vector>

#include "metaserver/namespace/limits.h"
#include "metaserver/namespace/sessions.h"
#include "metaserver/namespace/state_keys.h"

namespace mendfs::metaserver {

namespace {

/// Of which the sequences are in memory, 8 KiB each.
constexpr std::size_t kSessionsMax = 256;

std::string place_of(const protocol::CallHeader& call) {
  return keys::reply(call.session, call.sequence % kRepliesPerSession);
}

struct KeptReply {
  std::string key;
  ReplyRecord record;
};

Result<std::vector<KeptReply>> replies_of(State& state, const SessionId& session) {
  std::vector<KeptReply> kept;
  bool is_whole = true;
  const std::string prefix = keys::replies(session);
  MENDFS_TRY_VOID(state.scan(prefix, keys::after_prefix(prefix), [&](std::string_view key, std::string_view value) {
    Result<ReplyRecord> record = unpack<ReplyRecord>(value);
    is_whole = record.ok();
    if (is_whole) kept.push_back({std::string(key), std::move(*record)});
    return is_whole;
  }));
  if (!is_whole) return Error{ErrorCode::Corruption, "a kept reply is damaged"};
  return kept;
}

}  // namespace

std::uint64_t& KeptSequences::at(const SessionId& session, std::uint64_t sequence) {
  const auto found = sessions_.find(session);
  if (found != sessions_.end()) return found->second[sequence % kRepliesPerSession];
  // Those of ended sessions go too.
  if (sessions_.size() >= kSessionsMax) sessions_.clear();
  std::vector<std::uint64_t>& places = sessions_[session];
  places.assign(kRepliesPerSession, kUnknown);
  return places[sequence % kRepliesPerSession];
}

Result<std::optional<ReplyRecord>> find_reply(State& state, KeptSequences& kept, const protocol::CallHeader& call) {
  MENDFS_TRY(const SessionRecord session, load_open_session(state, call.session));
  if (call.sequence == 0 || call.answered_below > call.sequence)
    return Error{ErrorCode::Malformed, "a change has a sequence number above those that were answered"};
  if (call.sequence - call.answered_below >= kRepliesPerSession)
    return Error{ErrorCode::Malformed, "too many changes of one session are under way"};
  if (call.sequence < session.answered_below)
    return Error{ErrorCode::Refused, "the reply to this change was received and forgotten"};
  std::uint64_t& known = kept.at(call.session, call.sequence);
  if (known != KeptSequences::kUnknown && known != call.sequence) return std::optional<ReplyRecord>();
  MENDFS_TRY(std::optional<ReplyRecord> reply, state.get_record<ReplyRecord>(place_of(call)));
  known = reply ? reply->sequence : KeptSequences::kNone;
  // The window keeps two sequences of one place from being under way together, so another one there was answered.
  if (!reply || reply->sequence != call.sequence) return std::optional<ReplyRecord>();
  return reply;
}

Result<void> keep_reply(State& state, KeptSequences& kept, const protocol::CallHeader& call, ReplyRecord reply) {
  MENDFS_TRY(SessionRecord session, load_open_session(state, call.session));
  reply.sequence = call.sequence;
  kept.at(call.session, call.sequence) = call.sequence;
  state.put_record(place_of(call), reply);
  if (call.answered_below > session.answered_below) {
    session.answered_below = call.answered_below;
    state.put_record(keys::session(call.session), session);
  }
  return {};
}

Result<void> forget_replies(State& state, const SessionId& session) {
  MENDFS_TRY(std::vector<KeptReply> kept, replies_of(state, session));
  for (KeptReply& reply : kept) state.remove(std::move(reply.key));
  return {};
}

Result<void> keep_unanswered(State& state, const SessionId& session, const SessionRecord& record) {
  MENDFS_TRY(std::vector<KeptReply> kept, replies_of(state, session));
  for (KeptReply& reply : kept)
    if (reply.record.sequence < record.answered_below) state.remove(std::move(reply.key));
  return {};
}

Result<void> inherit_replies(State& state, const SessionId& lapsed, const SessionId& session) {
  MENDFS_TRY(const std::vector<KeptReply> kept, replies_of(state, lapsed));
  for (const KeptReply& reply : kept)
    state.put_record(keys::reply(session, reply.record.sequence % kRepliesPerSession), reply.record);
  return {};
}

}  // namespace mendfs::metaserver
