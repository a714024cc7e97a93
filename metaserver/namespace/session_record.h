// Sessions as they are stored (docs/disk-format.md, "State").
#pragma once

#include <cstdint>
#include <string>

#include "base/error.h"
#include "block/types.h"

namespace mendfs::metaserver {

struct SessionRecord {
  std::string client_name;
  std::uint64_t fence = 0;           // its number once it lapsed, 0 while it is open
  std::uint64_t answered_below = 0;  // replies below are forgotten, and their requests never applied again
  template <class V>
  void fields(V& v) {
    v("client_name", client_name);
    v("fence", fence);
    v("answered_below", answered_below);
  }
};

/// What was answered to a change. A session's replies take turns in kRepliesPerSession places, so a new one takes the
/// place of one that the client has long had, and nothing needs to be looked for and removed.
struct ReplyRecord {
  std::uint64_t sequence = 0;
  std::uint64_t index = 0;
  ErrorCode code = ErrorCode::Ok;
  std::string message;
  std::string body;
  template <class V>
  void fields(V& v) {
    v("sequence", sequence);
    v("index", index);
    v("code", code);
    v("message", message);
    v("body", body);
  }
};

}  // namespace mendfs::metaserver
