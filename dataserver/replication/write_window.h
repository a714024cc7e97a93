// WriteWindow: which writes of which sessions are stored here already, so that one that arrives again is answered and
// not applied again. A primary fills it as it appends, a copy as it is forwarded to.
//
// Bounded: a session's writes are forgotten once the client says that it has their answers, and sessions beyond the
// bound are forgotten, the one longest unheard of first. What was answered is known by its number alone: it may still
// be on its way over an older connection, and must not be applied when it comes. Of writes forgotten for the bound the
// other holders are asked (docs/decisions/0010-retries.md). Pure; one thread.
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

  /// A write, as far as its blocks in one range go.
  struct Known {
    Version version;
    /// All of it was stored by this process, so it is on all copies or on its way there. Otherwise some of it has been
    /// seen: the rest may have been torn off by a power cut, or be damaged.
    bool is_whole = false;
  };
  /// Nothing: not seen, or forgotten.
  std::optional<Known> find(const WriteId& id, Slot range) const;
  /// All of it has just been stored here by its primary, or been found on all copies.
  void remember_whole(const WriteId& id, Slot range, Version version);
  /// Something of it is stored under this version here or elsewhere.
  void remember_seen(const WriteId& id, Slot range, Version version);
  /// The client has the answers to all its writes below `sequence`, or wants them no more.
  void forget_below(const SessionId& session, std::uint64_t sequence);
  bool is_answered(const WriteId& id) const;
  void forget(const SessionId& session);

  /// To be kept with the store's index and read back, as writes seen, at the start. A text that cannot be read adds
  /// nothing.
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
    std::map<Key, Known> writes;
    std::uint64_t answered_below = 0;
    std::uint64_t last_use = 0;  // its place in by_use_
  };
  Session& used(const SessionId& id);
  void put(const WriteId& id, Slot range, Known known);
  void drop(std::map<SessionId, Session>::iterator session);

  std::map<SessionId, Session> sessions_;
  std::map<std::uint64_t, SessionId> by_use_;
  std::uint64_t uses_ = 0;
};

}  // namespace mendfs::replication
