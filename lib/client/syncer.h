// fsync of a file's data: asks every server that holds bytes written since the last one to make them durable. A server
// that lost its un-synced bytes meanwhile (the machine restarted) is asked again once it has caught up. Loop thread
// only.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "client/open_file.h"
#include "client/servers.h"
#include "client/wait_log.h"
#include "env/loop.h"
#include "env/task.h"

namespace mendfs::client {

class Syncer {
 public:
  /// `timeout` zero: for ever.
  Syncer(Loop& loop, Servers& servers, WaitLog& waits, Duration timeout)
      : loop_(loop), servers_(servers), waits_(waits), timeout_(timeout) {}

  /// What was delivered before the call survives a power cut afterwards. Io when all holders of some block have lost
  /// their un-synced bytes.
  Task<Result<void>> sync(std::shared_ptr<OpenFile> file);
  /// The same for one copy of each block, of a server that can be reached if there is one.
  Task<Result<void>> sync_one_copy(std::shared_ptr<OpenFile> file);

 private:
  /// Where in its log something of a range lies, by range.
  using Positions = std::map<Slot, protocol::HolderPosition>;
  struct SlotResult {
    std::vector<Slot> durable;  // ranges
    std::vector<Slot> restarted;
  };
  Task<Result<SlotResult>> sync_slot(std::shared_ptr<OpenFile> file, Slot slot, Positions positions);
  Task<Result<SlotResult>> sync_restarted(std::shared_ptr<OpenFile> file, Slot slot, std::vector<Slot> ranges);
  Task<Result<protocol::HolderPosition>> ask(std::shared_ptr<OpenFile> file, Slot slot, std::uint64_t position);
  Task<Result<void>> until_caught_up(std::shared_ptr<OpenFile> file, Slot range, Slot slot);

  Loop& loop_;
  Servers& servers_;
  WaitLog& waits_;
  Duration timeout_;
};

}  // namespace mendfs::client
