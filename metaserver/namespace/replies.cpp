#include "metaserver/namespace/replies.h"

#include <algorithm>
#include <vector>

#include "metaserver/namespace/limits.h"
#include "metaserver/namespace/sessions.h"
#include "metaserver/namespace/state_keys.h"

namespace mendfs::metaserver {

namespace {

std::string place_of(const protocol::CallHeader& call) {
  return keys::reply(call.session, call.sequence % kRepliesPerSession);
}

}  // namespace

Result<std::optional<ReplyRecord>> find_reply(State& state, const protocol::CallHeader& call) {
  MENDFS_TRY(const SessionRecord session, load_open_session(state, call.session));
  if (call.sequence == 0 || call.answered_below > call.sequence)
    return Error{ErrorCode::Malformed, "a change has a sequence number above those that were answered"};
  if (call.sequence - call.answered_below >= kRepliesPerSession)
    return Error{ErrorCode::Malformed, "too many changes of one session are under way"};
  if (call.sequence < session.answered_below)
    return Error{ErrorCode::Refused, "the reply to this change was received and forgotten"};
  MENDFS_TRY(std::optional<ReplyRecord> reply, state.get_record<ReplyRecord>(place_of(call)));
  // The window keeps two sequences of one place from being under way together, so another one there was answered.
  if (!reply || reply->sequence != call.sequence) return std::optional<ReplyRecord>();
  return reply;
}

Result<void> keep_reply(State& state, const protocol::CallHeader& call, ReplyRecord reply) {
  MENDFS_TRY(SessionRecord session, load_open_session(state, call.session));
  reply.sequence = call.sequence;
  state.put_record(place_of(call), reply);
  if (call.answered_below > session.answered_below) {
    session.answered_below = call.answered_below;
    state.put_record(keys::session(call.session), session);
  }
  return {};
}

Result<void> forget_replies(State& state, const SessionId& session) {
  std::vector<std::string> kept;
  const std::string prefix = keys::replies(session);
  MENDFS_TRY_VOID(state.scan(prefix, keys::after_prefix(prefix), [&](std::string_view key, std::string_view) {
    kept.emplace_back(key);
    return true;
  }));
  for (std::string& key : kept) state.remove(std::move(key));
  return {};
}

}  // namespace mendfs::metaserver
