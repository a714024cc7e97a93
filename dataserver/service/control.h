// The dataserver's side of the metaserver's calls (protocol/control.h): adopts, keeps terms and fences in the
// superblock before it answers, and passes on what they allow. Decisions are adoption.h's. Loop thread only.
#pragma once

#include <optional>
#include <string>

#include "base/error.h"
#include "dataserver/rebuild/rebuild.h"
#include "dataserver/replication/replica.h"
#include "dataserver/service/adoption.h"
#include "dataserver/store/block_store.h"
#include "env/env.h"
#include "env/future.h"
#include "protocol/control.h"
#include "rpc/method_table.h"

namespace mendfs::dataserver {

class Control {
 public:
  struct Parts {
    Env& env;
    store::BlockStore& store;
    replication::Replica& replica;
    rebuild::Rebuild& rebuild;
  };
  struct Settings {
    OwnLine line;
    Address self;
    std::optional<Address> metaserver;  // to call first
  };
  Control(Parts parts, Settings settings);

  /// Takes up what the superblock says, and calls or waits for the metaserver.
  void start();
  void add_methods(rpc::MethodTable& table);

  const OwnLine& line() const { return settings_.line; }
  /// When the metaserver called last, if it has.
  std::optional<Time> heard() const { return heard_; }

 private:
  template <class Request>
  void add_method(rpc::MethodTable& table, const std::string& help);
  template <class Request>
  Task<std::string> answer(std::string packed);

  Task<Result<protocol::NodeIdentity>> handle(protocol::ReserveRequest request);
  Task<Result<protocol::HeartbeatReply>> handle(protocol::HeartbeatRequest request);
  Task<Result<protocol::CutsReply>> handle(protocol::CutsRequest request);
  Task<Result<protocol::ExtentsReply>> handle(protocol::ExtentsRequest request);

  Task<Result<void>> heed(protocol::HeartbeatRequest request);
  Task<Result<void>> save();
  Result<void> check_cluster(const ClusterId& cluster) const;
  protocol::HeartbeatReply make_reply() const;
  Task<void> announce_until_called();
  Task<void> watch_for_silence();

  Parts parts_;
  Settings settings_;
  Uuid start_id_;
  std::optional<Reservation> reservation_;
  std::optional<Time> heard_;
  Time granted_until_{};
  Time saved_{};
  bool unsaved_ = false;  // the superblock has changed, and the last save failed or was given up
  bool heeding_ = false;  // one heartbeat at a time
  Signal heeded_;
  Scope scope_;  // last: its coroutines use all of the above
};

}  // namespace mendfs::dataserver
