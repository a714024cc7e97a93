// What a command has done to inodes and names, read off the records it wrote: no command needs to say it itself.
#pragma once

#include "base/error.h"
#include "metaserver/namespace/state.h"
#include "protocol/meta.h"

namespace mendfs::metaserver {

/// Of the command that is being applied.
Result<protocol::Touched> touched_by_command(const State& state);

}  // namespace mendfs::metaserver
