// A change is applied once: its reply is kept under (session, sequence), and a request that comes again gets it.
#pragma once

#include <optional>

#include "metaserver/namespace/context.h"
#include "metaserver/namespace/session_record.h"
#include "protocol/meta.h"

namespace mendfs::metaserver {

/// The kept reply to this request, or nothing if it was never applied. Refused: the session is unknown or fenced, or
/// the client said that it has the reply. Malformed: no sequence, or too many changes under way.
Result<std::optional<ReplyRecord>> find_reply(State& state, const protocol::CallHeader& call);

/// Keeps the reply of a request that find_reply() knew nothing of, and forgets those that the client has.
Result<void> keep_reply(State& state, const protocol::CallHeader& call, ReplyRecord reply);

/// The session has ended.
Result<void> forget_replies(State& state, const SessionId& session);

}  // namespace mendfs::metaserver
