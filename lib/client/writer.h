// Delivers what was written: takes bytes into a file's queues, sends them to the primaries, and sends each message
// again, unchanged, until every copy has it or it can never be delivered. Loop thread only.
//
// Small writes one after another become one message to each primary: the first of them sets out when enough has come
// together, when somebody waits for it, or a moment later (decision 14).
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/logger.h"
#include "client/meta_client.h"
#include "client/open_file.h"
#include "client/servers.h"
#include "client/wait_log.h"
#include "env/loop.h"
#include "env/task.h"

namespace mendfs::client {

class Writer {
 public:
  struct Hooks {
    /// Bytes of this file were given up for good; if that has set OpenFile::given_up, somebody has to cut them off.
    std::function<void(OpenFile&, const Error&)> on_failure;
    /// The file was cut by somebody else: fetch its attributes, then the writer goes on.
    std::function<Task<Result<void>>(std::shared_ptr<OpenFile>)> refresh;
  };

  /// `timeout` zero: for ever.
  Writer(Loop& loop, Servers& servers, MetaClient& meta, WaitLog& waits, Duration timeout, Hooks hooks);

  /// Waits until there is room for more bytes of this file.
  Task<void> until_room(std::shared_ptr<OpenFile> file);
  /// Takes the bytes and sends them on their way, within kWriteGather; the ticket to wait for.
  Ticket write(const std::shared_ptr<OpenFile>& file, const PreparedWrite& bytes);
  /// The same for zeros over [offset, offset + size), which take no memory.
  Ticket write_hole(const std::shared_ptr<OpenFile>& file, std::uint64_t offset, std::uint64_t size);
  /// Whether bytes written here now would have to wait for a server that is away, or be refused for want of space as
  /// the last ones were.
  bool is_blocked(const OpenFile& file, std::uint64_t offset, std::uint64_t size) const;
  /// Everything up to the ticket is on all copies, or was given up.
  Task<void> until_delivered(std::shared_ptr<OpenFile> file, Ticket ticket);
  /// Gives up all that is queued of a file.
  void drop(OpenFile& file, const Error& why);
  /// Sends what can be sent, now.
  void pump(const std::shared_ptr<OpenFile>& file);

  std::size_t queued_size() const { return queued_; }

 private:
  struct Delivery;
  void send_soon(const std::shared_ptr<OpenFile>& file, std::size_t size);
  Task<void> send_held();
  Task<void> deliver(std::shared_ptr<OpenFile> file, Slot range, WriteMessage message, std::vector<Slot> sent_to);
  Task<Result<protocol::WriteReply>> send(Delivery* delivery);
  void delivered(Delivery& delivery, const protocol::WriteReply& reply);
  void count_cost(OpenFile& file, std::size_t before);
  std::uint64_t answered_below() const { return unanswered_.empty() ? next_sequence_ : *unanswered_.begin(); }

  Loop& loop_;
  Servers& servers_;
  MetaClient& meta_;
  WaitLog& waits_;
  Duration timeout_;
  Hooks hooks_;
  std::uint64_t next_sequence_ = 1;
  std::set<std::uint64_t> unanswered_;
  std::size_t queued_ = 0;
  std::vector<std::shared_ptr<OpenFile>> held_;  // what was written to them lately waits for more
  std::set<Slot> full_ranges_;                   // whose last answer was NoSpace
  Signal room_;
  Scope scope_;
};

}  // namespace mendfs::client
