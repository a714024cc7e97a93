// Reads everything that is stored here, compares it with its digests, and has what is damaged or lost mended from the
// other holders: so damage is found before the second copy goes too. It goes by the segments, in their order, an hour
// after the start and then a week after each pass, slowly; or at once, as fast as clients leave room for.
// Loop thread only.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "block/run.h"
#include "dataserver/replication/replica.h"
#include "dataserver/store/block_store.h"
#include "env/env.h"
#include "env/future.h"
#include "rpc/method_table.h"

namespace mendfs::dataserver {

class Scrubber {
 public:
  Scrubber(Env& env, store::BlockStore& store, replication::Replica& replica);

  /// Passes begin by themselves from now on.
  void start();
  void add_methods(rpc::MethodTable& table);

 private:
  /// The pass that runs, or the last one.
  struct Pass {
    bool is_running = false;
    bool is_hasty = false;  // somebody waits for it
    Time begun{};
    Time ended{};
    std::uint64_t blocks_total = 0;  // roughly
    std::uint64_t blocks_checked = 0;
    std::uint64_t blocks_bad = 0;
    std::uint64_t blocks_mended = 0;
    std::uint64_t bytes_read = 0;
  };

  Task<void> run();
  Task<Result<void>> scrub();
  Task<Result<void>> scrub_range(Slot range);
  Task<Result<void>> scrub_run(RunHeader header);
  Task<Result<void>> mend(RunHeader header, std::vector<BlockRun> bad);
  Task<void> make_way();
  Task<Result<rpc::Value>> begin();
  Task<Result<rpc::Value>> status() const;

  Env& env_;
  store::BlockStore& store_;
  replication::Replica& replica_;
  Pass pass_;
  std::uint64_t passes_ = 0;  // that came to their end
  bool is_wanted_ = false;
  Signal wanted_;
  Scope scope_;  // last: its coroutines use all of the above
};

}  // namespace mendfs::dataserver
