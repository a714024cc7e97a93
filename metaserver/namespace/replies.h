// A change is applied once: its reply is kept under (session, sequence), and a request that comes again gets it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "metaserver/namespace/context.h"
#include "metaserver/namespace/session_record.h"
#include "protocol/meta.h"

namespace mendfs::metaserver {

/// Which sequence has its reply in each place of a session, as far as it has been looked at: a request that is new, as
/// nearly all are, is then known to be without asking the state. A cache, not part of the state.
class KeptSequences {
 public:
  static constexpr std::uint64_t kUnknown = 0;
  static constexpr std::uint64_t kNone = UINT64_MAX;
  std::uint64_t& at(const SessionId& session, std::uint64_t sequence);

 private:
  std::map<SessionId, std::vector<std::uint64_t>> sessions_;
};

/// The kept reply to this request, or nothing if it was never applied. Refused: the session is unknown or fenced, or
/// the client said that it has the reply. Malformed: no sequence, or too many changes under way.
Result<std::optional<ReplyRecord>> find_reply(State& state, KeptSequences& kept, const protocol::CallHeader& call);

/// Keeps the reply of a request that find_reply() knew nothing of, and forgets those that the client has.
Result<void> keep_reply(State& state, KeptSequences& kept, const protocol::CallHeader& call, ReplyRecord reply);

/// The session has ended for good.
Result<void> forget_replies(State& state, const SessionId& session);

/// The session lapsed: what the client may not have heard is kept, for the session that follows.
Result<void> keep_unanswered(State& state, const SessionId& session, const SessionRecord& record);
/// `session`, new, gets the replies of the lapsed one that it follows: its client goes on with the same sequences.
Result<void> inherit_replies(State& state, const SessionId& lapsed, const SessionId& session);

}  // namespace mendfs::metaserver
