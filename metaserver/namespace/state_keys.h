// The keys of the metadata store, all of them. Numbers are big-endian, so their order is that of the bytes
// (docs/disk-format.md, "State").
//
//   m version | counters | cluster | applied     one of each
//   m slot <slot>                                 SlotRecord
//   e <epoch>                                     the log index at which it began
//   s <session>                                   SessionRecord, of open and fenced sessions
//   r <session> <sequence mod 1024>               ReplyRecord
//   f <number>                                    SessionId that was fenced with it
//   i <inode>                                     InodeRecord
//   d <directory> <hash of name> <name>           DentryRecord
//   x <inode> <name>                              an extended attribute's value
//   w <session> <inode>                           nothing: the session has the file open for writing
//   o <inode>                                     nothing: without a name, perhaps open
//   q <inode>                                     nothing: deleted, not all holders know
//   c <inode>                                     nothing: cut, not all holders know
//   z <inode>                                     nothing: its writer died, the size is to be recovered
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "block/types.h"

namespace mendfs::metaserver::keys {

inline void append_big_endian(std::string& key, std::uint64_t number) {
  for (int shift = 56; shift >= 0; shift -= 8) key.push_back(static_cast<char>(number >> shift & 0xff));
}
/// Requires: key.size() >= offset + 8.
inline std::uint64_t big_endian_at(std::string_view key, std::size_t offset) {
  std::uint64_t number = 0;
  for (std::size_t i = 0; i < 8; ++i) number = number << 8 | static_cast<unsigned char>(key[offset + i]);
  return number;
}

/// The least key greater than all that begin with `prefix`, which begins with a tag.
inline std::string after_prefix(std::string prefix) {
  while (static_cast<unsigned char>(prefix.back()) == 0xff) prefix.pop_back();
  prefix.back() = static_cast<char>(prefix.back() + 1);
  return prefix;
}

inline std::string of_number(char tag, std::uint64_t number) {
  std::string key(1, tag);
  append_big_endian(key, number);
  return key;
}
inline std::string of_session(char tag, const SessionId& session) {
  std::string key(1, tag);
  append_big_endian(key, session.high);
  append_big_endian(key, session.low);
  return key;
}

constexpr char kSingleTag = 'm';
constexpr char kEpochTag = 'e';
constexpr char kSessionTag = 's';
constexpr char kReplyTag = 'r';
constexpr char kFenceTag = 'f';
constexpr char kInodeTag = 'i';
constexpr char kDentryTag = 'd';
constexpr char kXattrTag = 'x';
constexpr char kWriteMarkTag = 'w';
constexpr char kOrphanTag = 'o';
constexpr char kDeletionTag = 'q';
constexpr char kCutTag = 'c';
constexpr char kRecoveryTag = 'z';

inline std::string version() { return "mversion"; }
inline std::string counters() { return "mcounters"; }
inline std::string cluster() { return "mcluster"; }
inline std::string applied() { return "mapplied"; }
inline std::string slot(Slot slot) {
  std::string key = "mslot";
  append_big_endian(key, slot);
  return key;
}

inline std::string epoch(std::uint64_t number) { return of_number(kEpochTag, number); }
inline std::string session(const SessionId& id) { return of_session(kSessionTag, id); }
inline std::string replies(const SessionId& id) { return of_session(kReplyTag, id); }
inline std::string reply(const SessionId& id, std::uint64_t place) {
  std::string key = replies(id);
  append_big_endian(key, place);
  return key;
}
inline std::string fence(std::uint64_t number) { return of_number(kFenceTag, number); }

inline std::string inode(InodeNumber inode) { return of_number(kInodeTag, inode); }
inline std::string dentries(InodeNumber directory) { return of_number(kDentryTag, directory); }
inline std::string dentries_from(InodeNumber directory, std::uint64_t hash) {
  std::string key = dentries(directory);
  append_big_endian(key, hash);
  return key;
}
inline std::string dentry(InodeNumber directory, std::uint64_t hash, std::string_view name) {
  return dentries_from(directory, hash).append(name);
}
constexpr std::size_t kDentryHashOffset = 9;
constexpr std::size_t kDentryNameOffset = 17;

inline std::string xattrs(InodeNumber inode) { return of_number(kXattrTag, inode); }
inline std::string xattr(InodeNumber inode, std::string_view name) { return xattrs(inode).append(name); }
constexpr std::size_t kXattrNameOffset = 9;

inline std::string write_marks(const SessionId& session) { return of_session(kWriteMarkTag, session); }
inline std::string write_mark(const SessionId& session, InodeNumber inode) {
  std::string key = write_marks(session);
  append_big_endian(key, inode);
  return key;
}
constexpr std::size_t kWriteMarkInodeOffset = 17;

/// One of the queues of work: kOrphanTag, kDeletionTag, kCutTag, kRecoveryTag.
inline std::string queued(char queue, InodeNumber inode) { return of_number(queue, inode); }
constexpr std::size_t kQueuedInodeOffset = 1;

}  // namespace mendfs::metaserver::keys
