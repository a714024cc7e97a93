// Has the copies that reads did not give out checked by their servers, and mended where they are bad, missing or old.
// It is no part of a read: small ones are gathered for a moment, and go to each server as one message. Loop thread
// only.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/logger.h"
#include "client/open_file.h"
#include "client/read_gather.h"
#include "client/servers.h"
#include "env/future.h"
#include "env/task.h"

namespace mendfs::client {

struct AuditCounters {
  std::uint64_t audited = 0;  // other copies found right
  std::uint64_t mended = 0;
};

class Auditor {
 public:
  using Gather = std::shared_ptr<const ReadGather>;

  Auditor(Loop& loop, Servers& servers, Logger& log) : loop_(loop), servers_(servers), log_(log), ended_(loop) {}

  /// Waits until there is room for one more: what was read is kept until it is checked.
  Task<void> until_room();
  /// Checks what was read, soon. Requires: gather->is_served().
  void check(const std::shared_ptr<OpenFile>& file, Gather gather);

  const AuditCounters& counters() const { return counters_; }

 private:
  /// What one server is asked about one read.
  struct Item {
    Gather gather;
    SlotRequest request;
  };
  struct Batch {
    std::shared_ptr<OpenFile> file;
    Slot slot = 0;
    std::vector<Item> items;
    std::uint64_t block_count = 0;
  };
  using Key = std::pair<InodeNumber, Slot>;

  void send(std::map<Key, Batch>::iterator batch);
  Task<void> send_waiting();
  Task<void> ask(Batch batch);
  void compare(const Batch& batch, const Item& item, const protocol::ReadReply& reply);
  Task<void> mend(std::shared_ptr<OpenFile> file, MendRequest request, std::string why);

  Loop& loop_;
  Servers& servers_;
  Logger& log_;
  AuditCounters counters_;
  std::map<Key, Batch> waiting_;
  bool is_gathering_ = false;
  std::uint64_t blocks_ = 0;  // of items waiting or asked
  Signal ended_;
  Scope scope_;
};

}  // namespace mendfs::client
