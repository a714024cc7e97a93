// What every command's part of apply() works with.
#pragma once

#include <cstdint>

#include "base/error.h"
#include "env/loop.h"
#include "metaserver/namespace/directory_paths.h"
#include "metaserver/namespace/state.h"
#include "metaserver/namespace/work_queues.h"

namespace mendfs::metaserver {

struct Context {
  State& state;
  DirectoryPaths& paths;
  WorkQueues& queues;
  std::uint64_t index = 0;
  WallTime time = 0;
  std::uint64_t epoch = 0;
};

/// Whether an error means that the store is damaged or failing, rather than a refusal of what was asked.
inline bool is_damage(ErrorCode code) {
  return code == ErrorCode::Corruption || code == ErrorCode::Io || code == ErrorCode::Internal;
}

}  // namespace mendfs::metaserver
