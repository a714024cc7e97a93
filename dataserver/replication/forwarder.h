// Forwarder: carries a primary's writes to one other holder of its range, in order, for as long as it takes. What could
// not be delivered is sent again: a holder stores a run it already has without harm. Loop thread only.
#pragma once

#include <functional>

#include "dataserver/replication/forward_queue.h"
#include "dataserver/replication/node.h"
#include "dataserver/replication/settled.h"
#include "env/task.h"

namespace mendfs::replication {

class Forwarder {
 public:
  /// Told of each write that the holder has, by the id it was added under.
  using OnDelivered = std::function<void(std::uint64_t entry_id, const protocol::HolderPosition&)>;

  /// `node` and `settled` outlive it. `may_send`: the store that is now in the holder's slot has shaken hands in the
  /// current term; nothing is sent to another.
  Forwarder(Node& node, Slot holder, const Settled& settled, std::function<bool()> may_send, OnDelivered on_delivered);

  void add(ForwardQueue::Entry entry);
  /// What `may_send` answers may have changed, or the connection.
  void resume() { send_what_may_be_sent(); }

  Slot holder() const { return holder_; }
  std::size_t data_size() const { return queue_.data_size(); }
  /// The holder's disk was full when it was last heard of.
  bool is_full() const { return position_.full; }
  /// Asks a full holder again, at most once a second.
  void ask_for_space();

 private:
  void send_what_may_be_sent();
  Task<void> send(ForwardQueue::Message message);
  protocol::ForwardRequest make_request(const ForwardQueue::Message& message, std::vector<Buffer>* data) const;
  Task<void> ask();

  Node& node_;
  Slot holder_;
  const Settled& settled_;
  std::function<bool()> may_send_;
  OnDelivered on_delivered_;
  ForwardQueue queue_;
  protocol::HolderPosition position_;
  Time asked_{};
  Time warned_{};
  Scope scope_;
};

}  // namespace mendfs::replication
