// Whether what was deleted is gone: every file that nobody can open has neither an inode nor a block.
#pragma once

#include <set>
#include <string>

#include "env/env.h"
#include "env/task.h"
#include "tests/sim/cluster.h"

namespace mendfs::sim {

/// Waits, for as long as a deletion may take, until every dataserver has blocks of these files only and the metaserver
/// has no other inode but the root. What is left over; empty: nothing.
Task<std::string> find_leftovers(Env& env, Cluster& cluster, std::set<InodeNumber> files);

}  // namespace mendfs::sim
