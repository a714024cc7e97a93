// Group commit: commands that arrive together become one append to the log, and some hundred one batch of the store.
//
//   submit -> queue -> log.append -> (log.sync) -> apply -> answer -> store
//
// The log is synced in the background a moment after an entry; before a command is applied that dataservers will be
// told of (a term, a fence, a shrink), since what they have recorded cannot be taken back; and for submit_durable()
// before the answer. A failure of log or store is final: everything is answered Unavailable from then on, and failed()
// tells.
#pragma once

#include <deque>
#include <optional>
#include <vector>

#include "base/logger.h"
#include "env/future.h"
#include "env/kv.h"
#include "env/loop.h"
#include "metaserver/log/log.h"
#include "metaserver/namespace/namespace.h"
#include "metaserver/service/change_feed.h"

namespace mendfs::metaserver {

class Submitter {
 public:
  struct Parts {
    Loop& loop;
    Logger& logger;
    CommandLog& log;
    Kv& kv;
    Namespace& names;
    ChangeFeed& feed;
  };
  Submitter(Parts parts, std::size_t checkpoint_bytes);

  /// Of this start: goes into every command.
  void set_epoch(std::uint64_t epoch) { epoch_ = epoch; }

  /// Answered once the command is logged and applied. Errors: NoSpace; Unavailable after a failure.
  Task<Result<Outcome>> submit(Command::Body body);
  /// The same, and it survives a power cut.
  Task<Result<Outcome>> submit_durable(Command::Body body);
  /// Waits until entries up to `index` survive a power cut.
  Task<Result<void>> sync(LogIndex index);
  /// Syncs and checkpoints what there is.
  Task<Result<void>> checkpoint();

  /// The server cannot go on. The first error counts.
  void fail(Error error);
  /// Reports an error of the store behind a read, and passes the result on.
  template <class T>
  Result<T> checked(Result<T> result) {
    if (result.code() == ErrorCode::Corruption || result.code() == ErrorCode::Io) fail(result.error());
    return result;
  }
  const std::optional<Error>& failure() const { return failure_; }
  Task<Error> failed();

 private:
  using Answer = Promise<Result<Outcome>>;
  struct Pending {
    Command::Body body;
    Answer answer;
  };
  struct Batch {
    std::vector<Command> commands;
    std::vector<std::string> entries;
    std::vector<Answer> answers;
    std::size_t bytes = 0;
    bool durable_first = false;
  };

  Task<void> run();
  Batch take_batch();
  Task<void> commit(Batch batch);
  std::vector<Outcome> apply(LogIndex first, const std::vector<Command>& commands);
  Task<void> sync_soon();
  Task<void> checkpoint_when_due();
  Error unavailable() const;

  Parts parts_;
  std::size_t checkpoint_bytes_;
  std::uint64_t epoch_ = 0;
  std::deque<Pending> queue_;
  Signal arrived_;
  bool sync_planned_ = false;
  bool checkpoint_running_ = false;
  std::uint64_t bytes_since_checkpoint_ = 0;
  std::optional<Error> failure_;
  Signal failed_;
  Scope scope_;  // last: its coroutines use all of the above
};

}  // namespace mendfs::metaserver
