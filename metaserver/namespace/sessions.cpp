#include "metaserver/namespace/sessions.h"

#include "metaserver/namespace/inodes.h"
#include "metaserver/namespace/limits.h"
#include "metaserver/namespace/operations.h"
#include "metaserver/namespace/replies.h"
#include "metaserver/namespace/state_keys.h"
#include "metaserver/namespace/writers.h"

namespace mendfs::metaserver {

namespace {

Result<std::optional<SessionRecord>> find_session(State& state, const SessionId& session) {
  return state.get_record<SessionRecord>(keys::session(session));
}

Error fenced() { return {ErrorCode::Refused, "the session lapsed and was fenced: begin a new one"}; }

/// The oldest fence is forgotten, and with it the session: no client comes back after so many others.
Result<void> forget_fence(State& state, std::uint64_t number) {
  MENDFS_TRY(const std::optional<SessionId> session, state.get_record<SessionId>(keys::fence(number)));
  if (!session) return {};
  state.remove(keys::fence(number));
  state.remove(keys::session(*session));
  return forget_replies(state, *session);
}

}  // namespace

Result<SessionRecord> load_open_session(State& state, const SessionId& session) {
  MENDFS_TRY(std::optional<SessionRecord> record, find_session(state, session));
  if (!record) return Error{ErrorCode::Refused, "no such session: mount again"};
  if (record->fence != 0) return fenced();
  return std::move(*record);
}

Body apply_body(Context& context, const OpenSession& command) {
  if (command.session.is_zero()) return Error{ErrorCode::Malformed, "a session has an id that is not zero"};
  if (command.client_name.size() > kClientNameSizeMax)
    return Error{ErrorCode::Malformed, "a client's name has at most 1024 bytes"};
  MENDFS_TRY(const std::optional<SessionRecord> known, find_session(context.state, command.session));
  if (known && known->fence != 0) return fenced();
  if (known) return done();
  MENDFS_TRY(Counters counters, load_counters(context.state));
  if (counters.session_count >= kSessionCountMax)
    return Error{ErrorCode::Unavailable, "too many mounts are open already"};
  ++counters.session_count;
  store_counters(context.state, counters);
  SessionRecord record;
  record.client_name = command.client_name;
  MENDFS_TRY(const std::optional<SessionRecord> lapsed, find_session(context.state, command.follows));
  if (lapsed && lapsed->fence != 0) {
    record.answered_below = lapsed->answered_below;
    MENDFS_TRY_VOID(inherit_replies(context.state, command.follows, command.session));
  }
  context.state.put_record(keys::session(command.session), record);
  return done();
}

Body apply_body(Context& context, const CloseSession& command) {
  MENDFS_TRY(const std::optional<SessionRecord> record, find_session(context.state, command.session));
  if (!record) return done();
  if (record->fence != 0) return fenced();
  MENDFS_TRY_VOID(abandon_marks(context, command.session, 0));
  MENDFS_TRY_VOID(forget_replies(context.state, command.session));
  context.state.remove(keys::session(command.session));
  MENDFS_TRY(Counters counters, load_counters(context.state));
  --counters.session_count;
  store_counters(context.state, counters);
  return done();
}

Body apply_body(Context& context, const LapseSession& command) {
  MENDFS_TRY(std::optional<SessionRecord> record, find_session(context.state, command.session));
  if (!record) return Error{ErrorCode::Refused, "no such session"};
  if (record->fence != 0) return pack(FenceReply{record->fence});
  MENDFS_TRY(Counters counters, load_counters(context.state));
  --counters.session_count;
  record->fence = ++counters.fence_last;
  store_counters(context.state, counters);
  context.state.put_record(keys::session(command.session), *record);
  context.state.put_record(keys::fence(record->fence), command.session);
  if (record->fence > kFenceCountMax) MENDFS_TRY_VOID(forget_fence(context.state, record->fence - kFenceCountMax));
  MENDFS_TRY_VOID(abandon_marks(context, command.session, record->fence));
  MENDFS_TRY_VOID(keep_unanswered(context.state, command.session, *record));
  return pack(FenceReply{record->fence});
}

}  // namespace mendfs::metaserver
