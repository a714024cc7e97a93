// What every request to the metaserver begins with, and every reply says (meta.h, session.h).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/error.h"
#include "block/types.h"
#include "protocol/fields.h"

namespace mendfs::protocol {

/// Raised with every change of what travels; a peer that says another one is refused with a sentence.
constexpr std::uint32_t kProtocolVersion = 1;

struct CallHeader {
  SessionId session;
  std::uint64_t sequence = 0;        // 0 for requests that change nothing
  std::uint64_t answered_below = 0;  // replies to all sequences below it have arrived and may be forgotten
  template <class V>
  void fields(V& v) {
    v("session", session);
    v("sequence", sequence);
    v("answered_below", answered_below);
  }
};

struct Nothing {
  template <class V>
  void fields(V&) {}
};

/// Times are nanoseconds since 1970 (UTC).
struct Attributes {
  InodeNumber inode = 0;
  std::uint32_t mode = 0;  // type and permissions, as in stat(2)
  std::uint32_t link_count = 0;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::uint64_t rdev = 0;
  std::uint64_t size = 0;
  std::int64_t atime = 0;
  std::int64_t mtime = 0;
  std::int64_t ctime = 0;
  std::uint64_t change = 0;  // rises with every change of the inode
  Layout layout;             // of files; a directory's is what its new files inherit
  CutList cuts;
  bool operator==(const Attributes&) const = default;
  template <class V>
  void fields(V& v) {
    v("inode", inode);
    v("mode", mode);
    v("link_count", link_count);
    v("uid", uid);
    v("gid", gid);
    v("rdev", rdev);
    v("size", size);
    v("atime", atime);
    v("mtime", mtime);
    v("ctime", ctime);
    v("change", change);
    v("layout", layout);
    v("cuts", cuts);
  }
};

/// A name that a change gave, moved or took.
struct NameState {
  InodeNumber parent = 0;
  std::string name;
  InodeNumber inode = 0;  // 0: there is no such name now
  bool operator==(const NameState&) const = default;
  template <class V>
  void fields(V& v) {
    v("parent", parent);
    v("name", name);
    v("inode", inode);
  }
};
/// All that a change has touched, as it is after it: what a client that caches must put right.
struct Touched {
  std::vector<Attributes> inodes;
  std::vector<InodeNumber> gone;
  std::vector<NameState> names;
  bool operator==(const Touched&) const = default;
  template <class V>
  void fields(V& v) {
    v("inodes", inodes);
    v("gone", gone);
    v("names", names);
  }
};

/// The reply to every "fs.*" method; `body` is the packed reply struct when code is Ok.
struct MetaReply {
  ErrorCode code = ErrorCode::Ok;
  std::string message;
  std::uint64_t index = 0;    // the log entry of this change, 0 if it made none
  std::uint64_t durable = 0;  // entries up to this one survive a power cut
  std::uint64_t epoch = 0;    // this start of the metaserver
  std::uint64_t as_of = 0;    // the last log entry that body and `touched` know of
  bool repeated = false;      // this change was made before, and what it touched was told then
  Touched touched;            // by this change
  std::string body;
  template <class V>
  void fields(V& v) {
    v("code", code);
    v("message", message);
    v("index", index);
    v("durable", durable);
    v("epoch", epoch);
    v("as_of", as_of);
    v("repeated", repeated);
    v("touched", touched);
    v("body", body);
  }
};

}  // namespace mendfs::protocol
