// Has the copies that reads did not give out checked by their servers, and mended where they are bad, missing or old.
// It is no part of a read, and reads go first: while they follow one another, what is to be checked is gathered, for a
// moment and within bounds, and then goes to each server in few messages. Loop thread only.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/logger.h"
#include "client/audit_question.h"
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
  /// `sum_seed`: nobody else can know it.
  Auditor(Loop& loop, Servers& servers, Logger& log, std::uint64_t sum_seed)
      : sum(sum_seed), loop_(loop), servers_(servers), log_(log), ended_(loop) {}

  /// What reads sum up, to be compared here.
  const CopySum sum;

  /// Waits until there is room for one more: the sums of what was read are kept until they are compared.
  Task<void> until_room();
  /// Checks what was read, soon. Requires: gather.is_served().
  void check(const std::shared_ptr<OpenFile>& file, const ReadGather& gather);
  /// Everything is asked for now; ends when it is answered, or at `deadline`.
  Task<void> finish(Time deadline);

  const AuditCounters& counters() const { return counters_; }

 private:
  struct Item {
    std::shared_ptr<OpenFile> file;
    std::uint64_t writes = 0;  // of this mount when it was read
    AuditQuestion question;
  };
  /// What waits for one server.
  struct Lane {
    std::vector<Item> waiting;
    Time oldest{};
    bool is_running = false;
  };

  bool reads_go_first(const Lane& lane) const;
  Task<void> run(Slot slot);
  Task<void> ask(Slot slot, std::vector<Item> items);
  void take(const Item& item, std::span<const protocol::AuditRun> answer);
  Task<void> mend(std::shared_ptr<OpenFile> file, SlotBlocks request, std::string why);

  Loop& loop_;
  Servers& servers_;
  Logger& log_;
  AuditCounters counters_;
  std::map<Slot, Lane> lanes_;
  Time last_read_{};
  bool is_finishing_ = false;
  std::uint64_t blocks_ = 0;  // waiting or asked for
  Signal ended_;
  Scope scope_;
};

}  // namespace mendfs::client
