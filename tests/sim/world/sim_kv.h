// An ordered map that comes back from a crash as a prefix of what was applied to it: the last finished checkpoint, and
// of what one that had begun would have covered, as much as the seed decides. Nothing else is ever flushed (env/kv.h).
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "env/kv.h"
#include "tests/sim/world/random.h"
#include "tests/sim/world/scheduler.h"

namespace mendfs::sim {

/// One store as the machine keeps it; it outlives the program that opened it.
struct KvStore {
  std::map<std::string, std::string, std::less<>> current;
  std::map<std::string, std::string, std::less<>> durable;
  std::vector<KvBatch> since;  // applied to `current`, not yet in `durable`
  std::size_t flushing = 0;    // the first of these: a checkpoint that covers them has begun
  std::size_t unflushed_size = 0;
  bool corrupt = false;
  bool open = false;
};

class SimKvFactory : public KvFactory {
 public:
  SimKvFactory(SimLoop& loop, std::uint64_t seed) : loop_(loop), random_(seed) {}

  Result<std::unique_ptr<Kv>> open(const std::string& name) override;
  Result<void> destroy(const std::string& name) override;

  /// Every call on this store fails from now on, until it is destroyed.
  void corrupt(const std::string& name);
  std::vector<std::string> names() const;
  /// Requires: the program is dead.
  void wipe() { stores_.clear(); }

 private:
  SimLoop& loop_;
  SimRandom random_;
  std::map<std::string, std::shared_ptr<KvStore>> stores_;
};

}  // namespace mendfs::sim
