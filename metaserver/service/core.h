// What the parts of the service share: the world, the state, and the way to change it.
#pragma once

#include <optional>
#include <string>

#include "env/env.h"
#include "metaserver/log/log.h"
#include "metaserver/namespace/namespace.h"
#include "metaserver/service/submitter.h"

namespace mendfs::metaserver {

struct Core {
  Env& env;
  Namespace& names;
  CommandLog& log;
  Submitter& submitter;
  ChangeFeed& feed;
  std::uint64_t epoch = 0;  // of this start
  LogIndex recovered = 0;   // the last change there was when this start began
  std::string self;         // where this metaserver listens
  /// Why clients may change nothing; nothing: they may.
  std::optional<std::string> read_only;

  Time now() const { return env.loop.now(); }
};

/// The error of a submitted command, whether it was refused or could not be logged.
inline Result<void> refusal_of(const Result<Outcome>& outcome) {
  if (!outcome.ok()) return outcome.error();
  if (outcome->code != ErrorCode::Ok) return Error{outcome->code, outcome->message};
  return {};
}

}  // namespace mendfs::metaserver
