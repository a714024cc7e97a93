// Sessions: open, or fenced after they lapsed. A closed one leaves no trace.
#pragma once

#include "metaserver/namespace/context.h"
#include "metaserver/namespace/session_record.h"

namespace mendfs::metaserver {

/// Refused when there is none of that id, or it was fenced.
Result<SessionRecord> load_open_session(State& state, const SessionId& session);

}  // namespace mendfs::metaserver
