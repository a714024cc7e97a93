// WriteWindow: which writes of which sessions are stored here already, so that one that arrives again is answered and
// not applied again. A primary fills it as it appends, a copy as it is forwarded to.
//
// Bounded: a session's writes are forgotten once the client says that it has their answers, and sessions beyond the
// bound are forgotten, the one longest without a new write first. Forgetting is safe: before a write marked as a retry
// is applied that is not found here, the other holders are asked. Pure; one thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "block/types.h"

namespace mendfs::replication {

class WriteWindow {
 public:
  static constexpr std::size_t kSessionsMax = 4096;
  static constexpr std::size_t kWritesPerSessionMax = 65536;

  /// The version a write got for its blocks in `range`. Nothing: not seen, or forgotten.
  std::optional<Version> find(const WriteId& id, Slot range) const;
  void remember(const WriteId& id, Slot range, Version version);
  /// The client has the answers to all its writes below `sequence`.
  void forget_below(const SessionId& session, std::uint64_t sequence);
  void forget(const SessionId& session);

  /// To be kept with the store's index and read back at the start. A text that cannot be read adds nothing.
  std::string save() const;
  void load(const std::string& saved);

  std::size_t session_count() const { return sessions_.size(); }
  std::size_t write_count(const SessionId& session) const;

 private:
  struct Key {
    std::uint64_t sequence = 0;
    Slot range = 0;
    auto operator<=>(const Key&) const = default;
  };
  struct Session {
    std::map<Key, Version> writes;
    std::uint64_t last_use = 0;  // its place in by_use_
  };
  void drop(std::map<SessionId, Session>::iterator session);

  std::map<SessionId, Session> sessions_;
  std::map<std::uint64_t, SessionId> by_use_;
  std::uint64_t uses_ = 0;
};

}  // namespace mendfs::replication
