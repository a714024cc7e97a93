// Sessions and what they leave behind: leases, fences for those that lapse, the sizes of files that a dead session was
// writing, and files without a name that nobody has open any more.
#pragma once

#include <string>
#include <vector>

#include "env/future.h"
#include "metaserver/membership/leases.h"
#include "metaserver/membership/orphan_poll.h"
#include "metaserver/service/core.h"
#include "metaserver/service/cut_teller.h"
#include "metaserver/service/ring_keeper.h"

namespace mendfs::metaserver {

class SessionKeeper {
 public:
  SessionKeeper(Core& core, RingKeeper& ring, CutTeller& cuts) : core_(core), ring_(ring), cuts_(cuts) {}

  /// Gives every session a full lease, whenever the metaserver before this one has last heard of it.
  Result<void> start();

  bool is_open(const SessionId& session) const { return leases_.is_open(session); }
  /// `follows`: the session of the same client that lapsed, or zero.
  Task<Result<void>> open(SessionId session, std::string client_name, SessionId follows);
  Task<Result<void>> close(SessionId session);
  /// Another lease; answers what the session is to be asked. Refused: it has ended.
  Result<std::vector<InodeNumber>> renew(const SessionId& session, const std::vector<InodeNumber>& not_open);
  /// The session has said that it will never open this file again.
  bool has_let_go(const SessionId& session, InodeNumber inode) const { return poll_.has_let_go(session, inode); }

  std::size_t open_count() const { return leases_.count(); }
  Duration lease_left(const SessionId& session) const { return leases_.left(session, core_.now()); }

 private:
  Task<void> run();
  Task<void> watch_time();
  void notice_standstill();
  Task<void> end_lapsed();
  Task<void> recover_sizes();
  Task<Result<std::vector<std::uint64_t>>> ask_extents(Slot slot, std::vector<protocol::FileRef> files);
  Task<void> delete_orphans();

  Core& core_;
  RingKeeper& ring_;
  CutTeller& cuts_;
  Leases leases_;
  OrphanPoll poll_;
  Time awake_at_{};  // when this process was last seen to run
  std::uint64_t newest_fence_ = 0;
  std::map<SessionId, InodeNumber> asked_up_to_;  // where each session's questions go on
  InodeNumber deleted_up_to_ = 0;
  Scope scope_;  // last: its coroutines use all of the above
};

}  // namespace mendfs::metaserver
