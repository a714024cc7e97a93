// What a dataserver says about itself: node.identity, node.status, rebuild.status and /health. Loop thread only.
#pragma once

#include <string>

#include "dataserver/rebuild/rebuild.h"
#include "dataserver/replication/replica.h"
#include "dataserver/service/control.h"
#include "dataserver/store/block_store.h"
#include "env/env.h"
#include "rpc/method_table.h"

namespace mendfs::dataserver {

class NodeMethods {
 public:
  NodeMethods(Env& env, store::BlockStore& store, replication::Replica& replica, rebuild::Rebuild& rebuild,
              const Control& control);

  void add_methods(rpc::MethodTable& table);
  /// A line of JSON for /health.
  std::string health() const;

 private:
  Task<Result<rpc::Value>> identity() const;
  Task<Result<rpc::Value>> status() const;
  Task<Result<rpc::Value>> rebuild_status() const;
  rpc::Struct identity_struct() const;
  rpc::Array ranges_array() const;
  /// "waiting", "rebuilding" or "serving".
  const char* state() const;

  Env& env_;
  store::BlockStore& store_;
  replication::Replica& replica_;
  rebuild::Rebuild& rebuild_;
  const Control& control_;
  Time started_;
};

}  // namespace mendfs::dataserver
