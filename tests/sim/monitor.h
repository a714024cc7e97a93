// Asks the metaserver for its ring.status again and again, as an operator
// would.
#pragma once

#include <optional>
#include <set>
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
  /// Whether a report that was asked for after `since` has no session of this client, and no size that is still to be
  /// found for one that has ended.
  bool is_recovered(const std::string& client, Time since) const;
  /// The last report, for messages.
  const std::string& text() const { return text_; }

 private:
  static Task<void> watch(Monitor* self);
  void take(const rpc::Value& status, Time asked);

  Env& env_;
  Address metaserver_;
  std::optional<Time> all_up_at_;
  Time reported_{-1};  // when the last report was asked for
  std::set<std::string> clients_;
  bool sizes_pending_ = false;
  ClusterId cluster_;
  std::string text_ = "no report yet";
  Scope scope_;
};

}  // namespace mendfs::sim
