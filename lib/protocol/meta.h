// What clients ask the metaserver about files and names: one struct per request and reply (sessions: session.h).
//
// Hot methods ("fs.*") take one base64 parameter, the packed request, and answer one base64 value, a packed MetaReply;
// methods for people ("ns.*", "ring.*") have named parameters and structs (metaserver/service/).
// Every request carries its CallHeader: a change is applied once however often it arrives, because its reply is
// remembered under (session, sequence) until the client says that it has it.
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

constexpr std::size_t kNameSizeMax = 255;
constexpr std::size_t kPathSizeMax = 4096;
constexpr std::size_t kSymlinkSizeMax = 4095;
constexpr std::size_t kXattrValueSizeMax = 65536;
constexpr std::uint32_t kLinkCountMax = 65000;

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

struct LookupRequest {
  static constexpr const char* kMethod = "fs.lookup";
  using Reply = Attributes;
  CallHeader call;
  InodeNumber parent = 0;
  std::string name;
  template <class V>
  void fields(V& v) {
    v("call", call);
    v("parent", parent);
    v("name", name);
  }
};

struct GetAttributesRequest {
  static constexpr const char* kMethod = "fs.getattr";
  using Reply = Attributes;
  CallHeader call;
  InodeNumber inode = 0;
  template <class V>
  void fields(V& v) {
    v("call", call);
    v("inode", inode);
  }
};

struct TimeChange {
  bool now = false;  // the metaserver's clock, as UTIME_NOW
  std::int64_t time = 0;
  template <class V>
  void fields(V& v) {
    v("now", now);
    v("time", time);
  }
};

/// What is absent stays (UTIME_OMIT). A size below the file's makes a cut; ctime always changes.
struct SetAttributesRequest {
  static constexpr const char* kMethod = "fs.setattr";
  using Reply = Attributes;
  CallHeader call;
  InodeNumber inode = 0;
  std::optional<std::uint32_t> mode;  // permission bits; the type is kept
  std::optional<std::uint32_t> uid;
  std::optional<std::uint32_t> gid;
  std::optional<std::uint64_t> size;
  std::optional<TimeChange> atime;
  std::optional<TimeChange> mtime;
  bool clear_suid = false;  // kernel asked: drop S_ISUID, and S_ISGID where group execute is set
  template <class V>
  void fields(V& v) {
    v("call", call);
    v("inode", inode);
    v("mode", mode);
    v("uid", uid);
    v("gid", gid);
    v("size", size);
    v("atime", atime);
    v("mtime", mtime);
    v("clear_suid", clear_suid);
  }
};

/// Files, directories, symlinks, FIFOs, sockets and devices: the type is in `mode`. Exists if the name is taken.
struct MakeRequest {
  static constexpr const char* kMethod = "fs.make";
  using Reply = Attributes;
  CallHeader call;
  InodeNumber parent = 0;
  std::string name;
  std::uint32_t mode = 0;  // umask applied
  std::uint64_t rdev = 0;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::string symlink_target;
  bool open_for_write = false;  // files: sets the session's write mark, as OpenRequest does
  template <class V>
  void fields(V& v) {
    v("call", call);
    v("parent", parent);
    v("name", name);
    v("mode", mode);
    v("rdev", rdev);
    v("uid", uid);
    v("gid", gid);
    v("symlink_target", symlink_target);
    v("open_for_write", open_for_write);
  }
};

struct RemoveRequest {
  static constexpr const char* kMethod = "fs.remove";
  using Reply = Nothing;
  CallHeader call;
  InodeNumber parent = 0;
  std::string name;
  bool directory = false;  // rmdir instead of unlink
  template <class V>
  void fields(V& v) {
    v("call", call);
    v("parent", parent);
    v("name", name);
    v("directory", directory);
  }
};

struct LinkRequest {
  static constexpr const char* kMethod = "fs.link";
  using Reply = Attributes;
  CallHeader call;
  InodeNumber inode = 0;
  InodeNumber parent = 0;
  std::string name;
  template <class V>
  void fields(V& v) {
    v("call", call);
    v("inode", inode);
    v("parent", parent);
    v("name", name);
  }
};

struct RenameRequest {
  static constexpr const char* kMethod = "fs.rename";
  using Reply = Nothing;
  CallHeader call;
  InodeNumber parent = 0;
  std::string name;
  InodeNumber new_parent = 0;
  std::string new_name;
  bool no_replace = false;
  bool exchange = false;
  template <class V>
  void fields(V& v) {
    v("call", call);
    v("parent", parent);
    v("name", name);
    v("new_parent", new_parent);
    v("new_name", new_name);
    v("no_replace", no_replace);
    v("exchange", exchange);
  }
};

struct ReadLinkReply {
  std::string target;
  template <class V>
  void fields(V& v) {
    v("target", target);
  }
};
struct ReadLinkRequest {
  static constexpr const char* kMethod = "fs.readlink";
  using Reply = ReadLinkReply;
  CallHeader call;
  InodeNumber inode = 0;
  template <class V>
  void fields(V& v) {
    v("call", call);
    v("inode", inode);
  }
};

struct Dentry {
  std::string name;
  std::uint64_t cookie = 0;  // where to go on after this entry; stable while the name exists; > 2
  Attributes attributes;
  template <class V>
  void fields(V& v) {
    v("name", name);
    v("cookie", cookie);
    v("attributes", attributes);
  }
};
struct ReadDirectoryReply {
  std::vector<Dentry> entries;  // without "." and ".."
  InodeNumber parent = 0;       // for ".."
  bool end = false;
  template <class V>
  void fields(V& v) {
    v("entries", entries);
    v("parent", parent);
    v("end", end);
  }
};
constexpr std::uint32_t kDirectoryPageMax = 1024;
struct ReadDirectoryRequest {
  static constexpr const char* kMethod = "fs.readdir";
  using Reply = ReadDirectoryReply;
  CallHeader call;
  InodeNumber inode = 0;
  std::uint64_t cookie = 0;  // 0: from the start
  std::uint32_t count_max = kDirectoryPageMax;
  template <class V>
  void fields(V& v) {
    v("call", call);
    v("inode", inode);
    v("cookie", cookie);
    v("count_max", count_max);
  }
};

/// Asks whether the inode is still there and what it is now; with a name, also whether that still leads to it (else
/// StaleHandle). For writing it also sets the session's write mark, which is logged: a mark whose session dies has the
/// size recovered from the data.
struct OpenRequest {
  static constexpr const char* kMethod = "fs.open";
  using Reply = Attributes;
  CallHeader call;
  InodeNumber inode = 0;
  bool write = false;
  InodeNumber parent = 0;  // 0: the name does not matter
  std::string name;
  template <class V>
  void fields(V& v) {
    v("call", call);
    v("inode", inode);
    v("write", write);
    v("parent", parent);
    v("name", name);
  }
};

/// What a writer learnt: sizes only cover acknowledged bytes and count under the cut number they were seen with
/// (Stale otherwise: fetch the attributes, look again, resend).
struct SettleRequest {
  static constexpr const char* kMethod = "fs.settle";
  using Reply = Attributes;
  CallHeader call;
  InodeNumber inode = 0;
  std::uint64_t cut = 0;
  std::optional<std::uint64_t> size;  // the file has at least this many bytes
  std::optional<std::int64_t> mtime;  // also moves ctime
  std::optional<std::int64_t> atime;
  bool close_write = false;  // the session's last writing handle is gone: drop the mark
  template <class V>
  void fields(V& v) {
    v("call", call);
    v("inode", inode);
    v("cut", cut);
    v("size", size);
    v("mtime", mtime);
    v("atime", atime);
    v("close_write", close_write);
  }
};

struct SetXattrRequest {
  static constexpr const char* kMethod = "fs.setxattr";
  using Reply = Nothing;
  CallHeader call;
  InodeNumber inode = 0;
  std::string name;
  std::string value;
  bool create = false;   // XATTR_CREATE: Exists if it is there
  bool replace = false;  // XATTR_REPLACE: NoAttribute if it is not
  template <class V>
  void fields(V& v) {
    v("call", call);
    v("inode", inode);
    v("name", name);
    v("value", value);
    v("create", create);
    v("replace", replace);
  }
};
struct RemoveXattrRequest {
  static constexpr const char* kMethod = "fs.removexattr";
  using Reply = Nothing;
  CallHeader call;
  InodeNumber inode = 0;
  std::string name;
  template <class V>
  void fields(V& v) {
    v("call", call);
    v("inode", inode);
    v("name", name);
  }
};
struct XattrReply {
  std::string value;
  template <class V>
  void fields(V& v) {
    v("value", value);
  }
};
struct GetXattrRequest {
  static constexpr const char* kMethod = "fs.getxattr";
  using Reply = XattrReply;
  CallHeader call;
  InodeNumber inode = 0;
  std::string name;
  template <class V>
  void fields(V& v) {
    v("call", call);
    v("inode", inode);
    v("name", name);
  }
};
struct ListXattrReply {
  std::vector<std::string> names;
  template <class V>
  void fields(V& v) {
    v("names", names);
  }
};
struct ListXattrRequest {
  static constexpr const char* kMethod = "fs.listxattr";
  using Reply = ListXattrReply;
  CallHeader call;
  InodeNumber inode = 0;
  template <class V>
  void fields(V& v) {
    v("call", call);
    v("inode", inode);
  }
};

struct StatFsReply {
  std::uint64_t total_bytes = 0;  // of user data: disk space divided by the copies
  std::uint64_t free_bytes = 0;
  std::uint64_t inode_count = 0;
  template <class V>
  void fields(V& v) {
    v("total_bytes", total_bytes);
    v("free_bytes", free_bytes);
    v("inode_count", inode_count);
  }
};
struct StatFsRequest {
  static constexpr const char* kMethod = "fs.statfs";
  using Reply = StatFsReply;
  CallHeader call;
  template <class V>
  void fields(V& v) {
    v("call", call);
  }
};

/// Answered once log entries up to `index` survive a power cut (0: all there are now).
struct SyncMetaRequest {
  static constexpr const char* kMethod = "fs.sync";
  using Reply = Nothing;
  CallHeader call;
  std::uint64_t index = 0;
  template <class V>
  void fields(V& v) {
    v("call", call);
    v("index", index);
  }
};

}  // namespace mendfs::protocol
