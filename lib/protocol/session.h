// A client's session with the metaserver: how it begins, is kept, hears of others' changes, and ends. As meta.h.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "block/types.h"
#include "protocol/fields.h"
#include "protocol/meta.h"

namespace mendfs::protocol {

struct SlotInfo {
  std::string address;     // host:port as on the command line, normalised
  std::uint64_t term = 0;  // last confirmed
  Generation generation;   // the confirmed store
  bool reachable = false;
  template <class V>
  void fields(V& v) {
    v("address", address);
    v("term", term);
    v("generation", generation);
    v("reachable", reachable);
  }
};
struct RingInfo {
  RingNumber number = 0;
  std::vector<SlotInfo> slots;
  template <class V>
  void fields(V& v) {
    v("number", number);
    v("slots", slots);
  }
};

/// A mount begins here. With addresses, the ring is created from them if there is none (waits up to 10 s for all to
/// answer), and compared with them if there is one. Idempotent: a retry names the same session.
struct OpenSessionRequest {
  static constexpr const char* kMethod = "fs.mount";
  struct Answer {
    ClusterId cluster;
    RingInfo ring;
    std::uint32_t lease_ms = 0;
    template <class V>
    void fields(V& v) {
      v("cluster", cluster);
      v("ring", ring);
      v("lease_ms", lease_ms);
    }
  };
  using Reply = Answer;
  CallHeader call;  // a session id of the client's own making: 128 random bits
  SessionId
      follows;  // the client's session that lapsed, if any: changes asked for under it are repeated under this one
  std::uint32_t protocol_version = kProtocolVersion;
  std::vector<std::string> addresses;  // of the dataservers, empty: whatever the ring is
  std::uint32_t root_uid = 0;          // who owns the root directory, if this creates the filesystem
  std::uint32_t root_gid = 0;
  std::string client_name;  // host, pid and mountpoint, for the status page
  template <class V>
  void fields(V& v) {
    v("call", call);
    v("follows", follows);
    v("protocol_version", protocol_version);
    v("addresses", addresses);
    v("root_uid", root_uid);
    v("root_gid", root_gid);
    v("client_name", client_name);
  }
};

/// Every 3 s. Refused when the session lapsed and was fenced: begin a new one. The reply lists inodes that lost their
/// last name; the next renewal says of each whether this session has it open.
struct RenewRequest {
  static constexpr const char* kMethod = "fs.renew";
  struct Answer {
    RingInfo ring;
    std::vector<InodeNumber> unlinked;  // to be answered
    template <class V>
    void fields(V& v) {
      v("ring", ring);
      v("unlinked", unlinked);
    }
  };
  using Reply = Answer;
  CallHeader call;
  std::vector<InodeNumber> open;      // of those asked: open here
  std::vector<InodeNumber> not_open;  // of those asked: not open here, and never will be again
  template <class V>
  void fields(V& v) {
    v("call", call);
    v("open", open);
    v("not_open", not_open);
  }
};

/// What other sessions changed after log entry `since`: answered as soon as there is something, or after
/// timing::kChangesWaitMax. Asked again and again, it keeps a client's cache true (docs/protocol.md, "Changes").
struct ChangesRequest {
  static constexpr const char* kMethod = "fs.changes";
  struct Answer {
    std::uint64_t up_to = 0;  // the log entry from which to ask next
    bool unknown = false;     // not all that changed since then is known any more: keep nothing
    std::vector<InodeNumber> inodes;
    std::vector<NameState> names;  // without the inode they lead to now
    template <class V>
    void fields(V& v) {
      v("up_to", up_to);
      v("unknown", unknown);
      v("inodes", inodes);
      v("names", names);
    }
  };
  using Reply = Answer;
  CallHeader call;
  std::uint64_t epoch = 0;  // that `since` was heard in
  std::uint64_t since = 0;
  template <class V>
  void fields(V& v) {
    v("call", call);
    v("epoch", epoch);
    v("since", since);
  }
};

/// A clean end: nothing is queued, nothing open.
struct CloseSessionRequest {
  static constexpr const char* kMethod = "fs.unmount";
  using Reply = Nothing;
  CallHeader call;
  template <class V>
  void fields(V& v) {
    v("call", call);
  }
};

}  // namespace mendfs::protocol
