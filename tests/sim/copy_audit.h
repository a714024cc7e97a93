// Asks every holder of every block of a file for its own verified copy, and
// compares them: version and digest.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "protocol/channel.h"
#include "protocol/meta.h"
#include "tests/sim/cluster.h"

namespace mendfs::sim {

class CopyAudit {
 public:
  CopyAudit(Env& env, Cluster& cluster) : env_(env), cluster_(cluster) {}

  /// What differs; empty: the copies are the same.
  Task<std::string> compare(protocol::Attributes attributes);

 private:
  struct Copy {
    protocol::BlockState state;
    Version version;
    std::optional<Digest> digest;
    bool operator==(const Copy&) const = default;
  };
  static std::string describe(const Copy& copy);
  using Copies = std::map<BlockIndex, Copy>;

  Task<std::string> connect(ClusterId cluster, RingNumber ring);
  /// What `slot` has of a range; a sentence if it cannot tell.
  Task<std::string> read(protocol::FileRef file, Slot range, Slot slot, Copies* copies);

  Env& env_;
  Cluster& cluster_;
  std::vector<std::unique_ptr<protocol::Channel>> channels_;
};

}  // namespace mendfs::sim
