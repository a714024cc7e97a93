// Asks the metaserver for its ring.status again and again, as an operator
// would.
#pragma once

#include <optional>
#include <string>

#include "block/types.h"
#include "env/env.h"
#include "env/task.h"
#include "rpc/value.h"

namespace mendfs::sim {

class Monitor {
 public:
  Monitor(Env& env, Address metaserver);
  Monitor(const Monitor&) = delete;
  Monitor& operator=(const Monitor&) = delete;

  /// When the last report came in which every dataserver was up, complete and
  /// writable; the report may be as old as a heartbeat.
  std::optional<Time> all_up_at() const { return all_up_at_; }
  ClusterId cluster() const { return cluster_; }
  /// The last report, for messages.
  const std::string& text() const { return text_; }

 private:
  static Task<void> watch(Monitor* self);
  void take(const rpc::Value& status);

  Env& env_;
  Address metaserver_;
  std::optional<Time> all_up_at_;
  ClusterId cluster_;
  std::string text_ = "no report yet";
  Scope scope_;
};

}  // namespace mendfs::sim
