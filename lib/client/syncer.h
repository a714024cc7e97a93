// fsync of files' data: asks every server that holds bytes written since the last one to make them durable. A server
// that lost its un-synced bytes meanwhile (the machine restarted) is asked again once it has caught up. Loop thread
// only.
#pragma once

#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "client/open_file.h"
#include "client/servers.h"
#include "client/wait_log.h"
#include "env/loop.h"
#include "env/task.h"

namespace mendfs::client {

class Syncer {
 public:
  using Refresh = std::function<Task<Result<void>>(std::shared_ptr<OpenFile>)>;

  /// `timeout` zero: for ever. `refresh` fetches a file's attributes.
  Syncer(Loop& loop, Servers& servers, WaitLog& waits, Duration timeout, Refresh refresh)
      : loop_(loop), servers_(servers), waits_(waits), timeout_(timeout), refresh_(std::move(refresh)) {}

  /// What was delivered before the call survives a power cut afterwards. Io when all holders of some block have lost
  /// their un-synced bytes.
  Task<Result<void>> sync(std::shared_ptr<OpenFile> file);
  /// The same for one copy of each block, of a server that can be reached if there is one.
  Task<Result<void>> sync_one_copy(std::shared_ptr<OpenFile> file);
  /// A server is back: what it holds of these files is made durable as soon as it has all of it again.
  Task<void> sync_returned(Slot slot, std::vector<std::shared_ptr<OpenFile>> files);

 private:
  /// Something of a file that one server has to sync.
  struct Need {
    std::shared_ptr<OpenFile> file;
    UnsyncedIn in;
    std::uint64_t position = 0;
  };
  using Needs = std::vector<Need>;
  /// For how long to try, and who is told meanwhile.
  enum class Patience { Fsync, Background };

  Task<Result<Needs>> sync_slot(Slot slot, Needs needs);
  Task<Result<void>> sync_restarted(Slot slot, const Needs* needs, Patience patience);
  Task<bool> is_restored(Need need);
  Task<Result<protocol::SyncReply>> ask(Slot slot, std::shared_ptr<OpenFile> file, std::uint64_t position,
                                        Patience patience);
  Task<Result<void>> until_caught_up(Slot slot, std::shared_ptr<OpenFile> file, Slot range, Patience patience);

  Loop& loop_;
  Servers& servers_;
  WaitLog& waits_;
  Duration timeout_;
  Refresh refresh_;
};

}  // namespace mendfs::client
