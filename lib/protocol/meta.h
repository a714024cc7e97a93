// What clients ask the metaserver about files and names: one struct per request and reply (sessions: session.h,
// extended attributes: xattr.h).
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
#include "protocol/meta_reply.h"

namespace mendfs::protocol {

constexpr std::size_t kNameSizeMax = 255;
constexpr std::size_t kPathSizeMax = 4096;
constexpr std::size_t kSymlinkSizeMax = 4095;
constexpr std::uint32_t kLinkCountMax = 65000;

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
  bool close_write = false;  // the session writes no more for now: drop the mark
  // Of a chmod or chown that came meanwhile, as in fs.setattr.
  std::optional<std::uint32_t> mode;
  std::optional<std::uint32_t> uid;
  std::optional<std::uint32_t> gid;
  template <class V>
  void fields(V& v) {
    v("call", call);
    v("inode", inode);
    v("cut", cut);
    v("size", size);
    v("mtime", mtime);
    v("atime", atime);
    v("close_write", close_write);
    v("mode", mode);
    v("uid", uid);
    v("gid", gid);
  }
};

/// The session has closed these files, and has nothing to tell of them: its write marks go. Files that are gone are
/// passed over.
struct UnmarkRequest {
  static constexpr const char* kMethod = "fs.unmark";
  using Reply = Nothing;
  CallHeader call;
  std::vector<InodeNumber> inodes;  // at most kUnmarkCountMax
  template <class V>
  void fields(V& v) {
    v("call", call);
    v("inodes", inodes);
  }
};
constexpr std::size_t kUnmarkCountMax = 256;

/// Bytes that this session wrote from `size` on were given up and never acknowledged: they are cut off, unless others
/// count on them. Bytes below the size that the file has stay, as they do while somebody else is writing it.
struct AbandonRequest {
  static constexpr const char* kMethod = "fs.abandon";
  using Reply = Attributes;
  CallHeader call;
  InodeNumber inode = 0;
  std::uint64_t size = 0;
  template <class V>
  void fields(V& v) {
    v("call", call);
    v("inode", inode);
    v("size", size);
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
  /// 0: all changes there are. Else a change that was answered, and the epoch of the answer: Stale when a power cut may
  /// have taken it.
  std::uint64_t index = 0;
  std::uint64_t epoch = 0;
  template <class V>
  void fields(V& v) {
    v("call", call);
    v("index", index);
    v("epoch", epoch);
  }
};

}  // namespace mendfs::protocol
