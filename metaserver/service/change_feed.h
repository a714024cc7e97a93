// What has changed lately, for the sessions whose caches must hear of it. Everybody hears of everything that others
// did: nothing is kept of who holds what, and a session that is further behind than this memory reaches is told so.
// Loop thread only.
#pragma once

#include <cstdint>
#include <deque>
#include <list>

#include "block/types.h"
#include "env/future.h"
#include "env/loop.h"
#include "env/task.h"
#include "protocol/meta.h"
#include "protocol/session.h"

namespace mendfs::metaserver {

class ChangeFeed {
 public:
  explicit ChangeFeed(Loop& loop) : loop_(loop) {}

  /// The state is that at log entry `index`, in this start of the metaserver: what was before is not known here.
  void begin(std::uint64_t epoch, std::uint64_t index);
  /// Entry `index` was applied; `origin`, zero for none, has been told by its reply. In the order of indices.
  void add(std::uint64_t index, const SessionId& origin, const protocol::Touched& touched);
  /// What others have changed after `since`. Waits for something, up to timing::kChangesWaitMax.
  Task<protocol::ChangesRequest::Answer> wait(SessionId session, std::uint64_t epoch, std::uint64_t since);

 private:
  struct Change {
    std::uint64_t index = 0;
    SessionId origin;
    std::size_t cost = 0;
    std::vector<InodeNumber> inodes;
    std::vector<protocol::NameState> names;
  };
  /// Somebody who waits, and up to where nothing has happened that concerns them.
  struct Waiter {
    SessionId session;
    std::uint64_t seen = 0;
    bool woken = false;
    Promise<Unit> wake;
  };

  std::deque<Change>::const_iterator after(std::uint64_t index) const;

  Loop& loop_;
  std::uint64_t epoch_ = 0;
  std::uint64_t base_ = 0;  // changes after this one are all here
  std::uint64_t last_ = 0;
  std::deque<Change> changes_;
  std::size_t cost_ = 0;
  std::list<Waiter> waiters_;
};

}  // namespace mendfs::metaserver
