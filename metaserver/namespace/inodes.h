// Loading, storing and marking inodes as changed; the counters that number them.
#pragma once

#include <cstdint>
#include <optional>

#include "metaserver/namespace/context.h"
#include "metaserver/namespace/inode_record.h"

namespace mendfs::metaserver {

Result<Counters> load_counters(State& state);
void store_counters(State& state, const Counters& counters);

/// StaleHandle when it is gone, or its blocks are going.
Result<InodeRecord> load_inode(State& state, InodeNumber inode);
/// An inode that another record of the state names, perhaps one whose blocks are going: Corruption when it is missing.
Result<InodeRecord> load_named_inode(State& state, InodeNumber inode);
/// As load_inode; NotDirectory for anything else. May have lost its name.
Result<InodeRecord> load_directory(State& state, InodeNumber inode);
void store_inode(State& state, const InodeRecord& record);

/// A number never used before: epoch and a count in it. NoSpace after 2^40 in one epoch.
Result<InodeNumber> next_inode_number(Counters& counters);

/// chmod and chown; what is absent stays. A new owner takes a program's privileges away, a new mode may give them back.
void set_mode_and_owner(InodeRecord& record, std::optional<std::uint32_t> mode, std::optional<std::uint32_t> uid,
                        std::optional<std::uint32_t> gid);
/// What chown and writing do to a program's privileges: set-user-id goes, and set-group-id where it is no mark for
/// mandatory locks (group execute is set).
std::uint32_t without_privileges(std::uint32_t mode);

/// Something about the inode changed: ctime and the change number.
void touch(const Context& context, InodeRecord& record);
/// A directory got or lost a name: mtime too.
void touch_content(const Context& context, InodeRecord& record);

}  // namespace mendfs::metaserver
