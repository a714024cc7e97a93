// Who waits for which server, since when and why: for status pages, and for the log, which says after kBlockedLogAfter
// and then every kBlockedLogEvery what is blocked, on whom, and how to give up. Loop thread only.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <optional>
#include <string>
#include <vector>

#include "base/logger.h"
#include "block/types.h"
#include "env/future.h"
#include "env/loop.h"
#include "env/network.h"
#include "env/task.h"

namespace mendfs::client {

/// Something that waits for a server.
struct Blocked {
  const char* what = "";     // "write", "read", "metadata"
  InodeNumber inode = 0;     // 0: none in particular
  std::optional<Slot> slot;  // nothing: the metaserver
  Address server;
  Duration waited{0};
  std::string reason;  // what the server, or the connection, last said
};

class WaitLog {
 public:
  /// `name_of` gives a name for people, or an empty string.
  WaitLog(Loop& loop, Logger& log, std::function<std::string(InodeNumber)> name_of);

  /// On whom it is, asked whenever somebody wants to know.
  struct Blame {
    std::optional<Slot> slot;  // nothing: the metaserver
    Address server;
    std::string reason;
  };
  /// One wait; ends when destroyed.
  class Entry {
   public:
    Entry(WaitLog& log, const char* what, InodeNumber inode, std::function<Blame()> blame);
    ~Entry();
    Entry(const Entry&) = delete;
    Entry& operator=(const Entry&) = delete;

    Duration waited() const;

   private:
    friend class WaitLog;
    WaitLog& log_;
    const char* what_;
    InodeNumber inode_;
    std::function<Blame()> blame_;
    Time since_;
    std::list<Entry*>::iterator place_;
  };

  /// What has waited longer than kBlockedLogAfter, longest first.
  std::vector<Blocked> blocked() const;

 private:
  Task<void> report();
  void report_once();

  Loop& loop_;
  Logger& log_;
  std::function<std::string(InodeNumber)> name_of_;
  std::list<Entry*> entries_;
  struct Reported {
    std::string what;
    std::optional<Slot> slot;
    Time at;
  };
  std::vector<Reported> reported_;
  Scope scope_;
};

}  // namespace mendfs::client
