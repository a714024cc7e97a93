// Reads verified bytes: from whichever copies give them soonest, then has the other copies checked on their servers,
// and whatever is bad, missing or old mended. Loop thread only.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/logger.h"
#include "client/auditor.h"
#include "client/open_file.h"
#include "client/read_gather.h"
#include "client/servers.h"
#include "client/wait_log.h"
#include "env/future.h"
#include "env/task.h"

namespace mendfs::client {

struct ReadCounters {
  std::uint64_t verified = 0;  // blocks given out
  std::uint64_t hedged = 0;    // requests that another server had to answer
};

class Reader {
 public:
  using Refresh = std::function<Task<Result<void>>(std::shared_ptr<OpenFile>)>;

  /// `timeout` zero: waits for ever for a copy that could still be good. `refresh` fetches a file's attributes.
  Reader(Loop& loop, Servers& servers, WaitLog& waits, Logger& log, Duration timeout, std::uint64_t sum_seed,
         Refresh refresh);

  /// Bytes [offset, offset + size) as the servers and this mount's queue have them; zeros where nothing was written.
  /// Io when a block in it is lost. Requires: size > 0.
  Task<Result<Buffer>> read(std::shared_ptr<OpenFile> file, std::uint64_t offset, std::uint32_t size);

  /// The same for whoever can do without: Unavailable when it cannot be had now, without waiting for a server that is
  /// away or slow.
  Task<Result<Buffer>> read_at_once(std::shared_ptr<OpenFile> file, std::uint64_t offset, std::uint32_t size);

  /// Has what was read so far checked, as far as that is possible until then.
  Task<void> finish_audits(Time deadline) { return auditor_.finish(deadline); }

  const ReadCounters& counters() const { return counters_; }
  const AuditCounters& audit_counters() const { return auditor_.counters(); }

 private:
  using Gather = std::shared_ptr<ReadGather>;
  enum class Patience { AtOnce, UntilItCanBeHad };
  Task<Result<Buffer>> read(std::shared_ptr<OpenFile> file, std::uint64_t offset, std::uint32_t size,
                            Patience patience);
  Task<Result<Gather>> gather_at_once(std::shared_ptr<OpenFile> file, BlockIndex first, std::uint32_t count);
  Task<Result<Gather>> gather(std::shared_ptr<OpenFile> file, BlockIndex first, std::uint32_t count);
  Task<Result<void>> run_rounds(std::shared_ptr<OpenFile> file, Gather gather, bool only_quick);
  Task<Result<void>> ask(ReadGather* gather, protocol::FileRef file, SlotBlocks request);

  Loop& loop_;
  Servers& servers_;
  WaitLog& waits_;
  Logger& log_;
  Duration timeout_;
  Refresh refresh_;
  ReadCounters counters_;
  Auditor auditor_;
};

}  // namespace mendfs::client
