// Whether what was deleted is gone: every file that nobody can open has neither an inode nor a block.
#pragma once

#include <set>
#include <string>

#include "env/env.h"
#include "env/task.h"
#include "tests/sim/cluster.h"

namespace mendfs::sim {

/// Waits, for as long as a deletion may take, until every dataserver has blocks of these files only and the metaserver
/// has no other inode but the root. Blocks may be there of files `lost`, whose creation a power cut took: nobody knows
/// that they ever were. What is left over; empty: nothing.
Task<std::string> find_leftovers(Env& env, Cluster& cluster, std::set<InodeNumber> files, std::set<InodeNumber> lost);

}  // namespace mendfs::sim
