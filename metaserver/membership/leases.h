// Which sessions are open and until when: each renewal gives another lease. Pure; loop thread only.
#pragma once

#include <map>
#include <vector>

#include "block/types.h"
#include "env/loop.h"
#include "protocol/timing.h"

namespace mendfs::metaserver {

class Leases {
 public:
  void open(const SessionId& session, Time now) { expires_[session] = now + timing::kSessionLease; }
  void end(const SessionId& session) { expires_.erase(session); }
  bool is_open(const SessionId& session) const { return expires_.contains(session); }
  std::size_t count() const { return expires_.size(); }

  /// False: the session is not open (any more).
  bool renew(const SessionId& session, Time now) {
    const auto found = expires_.find(session);
    if (found == expires_.end()) return false;
    found->second = now + timing::kSessionLease;
    return true;
  }

  /// Nobody could renew for a while, and it was not the sessions' fault.
  void renew_all(Time now) {
    for (auto& [session, expires] : expires_) expires = now + timing::kSessionLease;
  }

  std::vector<SessionId> all() const {
    std::vector<SessionId> sessions;
    for (const auto& [session, expires] : expires_) sessions.push_back(session);
    return sessions;
  }
  /// Those whose time is over; they stay until end().
  std::vector<SessionId> lapsed(Time now) const {
    std::vector<SessionId> sessions;
    for (const auto& [session, expires] : expires_) {
      if (expires <= now) sessions.push_back(session);
    }
    return sessions;
  }
  Duration left(const SessionId& session, Time now) const {
    const auto found = expires_.find(session);
    return found == expires_.end() ? Duration{0} : found->second - now;
  }

 private:
  std::map<SessionId, Time> expires_;
};

}  // namespace mendfs::metaserver
