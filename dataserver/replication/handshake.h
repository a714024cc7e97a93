// Handshake: how a primary with a new term and one other holder of its range come to agree, before any version of the
// term is given: the holder syncs the term and refuses lower ones, then each is given what the other has above its
// watermark. Done again whenever the holder turns out to be another store. Loop thread only.
#pragma once

#include <cstdint>
#include <functional>

#include "base/error.h"
#include "dataserver/replication/node.h"
#include "env/task.h"
#include "protocol/data.h"
#include "protocol/ring_data.h"

namespace mendfs::replication {

class Handshake {
 public:
  /// `on_change` is called whenever one of the answers below may have changed.
  Handshake(Node& node, Slot holder, std::function<void()> on_change);

  /// Once.
  void begin(std::uint64_t term);

  /// It has been done with some store in this slot: no lower term's version can be acknowledged any more.
  bool was_done() const { return done_; }
  /// It has been done with the store that is connected now.
  bool is_current() const;
  /// What the holder said when asked last.
  bool holder_is_complete() const { return done_ && reply_.complete; }

 private:
  Task<void> run(std::uint64_t term);
  Task<Result<void>> shake(std::uint64_t term);
  Task<Result<void>> pull();
  Task<Result<void>> push(std::uint64_t term, Version above);
  Task<Result<void>> push_page(std::uint64_t term, std::vector<RunSummary> listed);
  Task<Result<void>> send(std::uint64_t term, std::vector<Run> runs);

  Node& node_;
  Slot holder_;
  std::function<void()> on_change_;
  bool done_ = false;
  protocol::HandshakeReply reply_;
  Scope scope_;
};

}  // namespace mendfs::replication
