// The "ns.*" and "ring.*" methods, for people and tools: named parameters, structs back.
#pragma once

#include <string>
#include <vector>

#include "metaserver/service/core.h"
#include "metaserver/service/cut_teller.h"
#include "metaserver/service/ring_keeper.h"
#include "metaserver/service/session_keeper.h"
#include "rpc/method_table.h"

namespace mendfs::metaserver {

class HandMethods {
 public:
  HandMethods(Core& core, RingKeeper& ring, SessionKeeper& sessions, CutTeller& cuts)
      : core_(core), ring_(ring), sessions_(sessions), cuts_(cuts) {}

  void add_to(rpc::MethodTable& methods);
  /// The text of /health.
  std::string health() const;

 private:
  using Parameters = std::vector<rpc::Value>;
  using Handler = Task<Result<rpc::Value>> (HandMethods::*)(Parameters);
  void add(rpc::MethodTable& methods, std::string name, std::string signature, std::string help, Handler handler);

  Task<Result<rpc::Value>> stat(Parameters parameters);
  Task<Result<rpc::Value>> list(Parameters parameters);
  Task<Result<rpc::Value>> locate(Parameters parameters);
  Task<Result<rpc::Value>> read_link(Parameters parameters);
  Task<Result<rpc::Value>> status(Parameters parameters);
  Task<Result<rpc::Value>> declare_lost(Parameters parameters);
  Task<Result<rpc::Value>> announce(Parameters parameters);
  Task<Result<rpc::Value>> accept_old_metadata(Parameters parameters);

  Result<protocol::Attributes> resolve(const Parameters& parameters);
  rpc::Struct describe_slot(Slot slot, const RingState& ring) const;

  Core& core_;
  RingKeeper& ring_;
  SessionKeeper& sessions_;
  CutTeller& cuts_;
};

}  // namespace mendfs::metaserver
