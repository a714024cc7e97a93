#include "dataserver/replication/forwarder.h"

#include <algorithm>
#include <utility>

#include "env/future.h"
#include "protocol/timing.h"

namespace mendfs::replication {

Forwarder::Forwarder(Node& node, Slot holder, const Settled& settled, std::function<bool()> may_send,
                     OnDelivered on_delivered)
    : node_(node),
      holder_(holder),
      settled_(settled),
      may_send_(std::move(may_send)),
      on_delivered_(std::move(on_delivered)) {}

void Forwarder::add(ForwardQueue::Entry entry) {
  queue_.add(std::move(entry));
  send_what_may_be_sent();
}

void Forwarder::send_what_may_be_sent() {
  while (node_.channel(holder_).is_up() && may_send_()) {
    std::optional<ForwardQueue::Message> message = queue_.next();
    if (!message) return;
    scope_.spawn(send(std::move(*message)));
  }
}

protocol::ForwardRequest Forwarder::make_request(const ForwardQueue::Message& message,
                                                 std::vector<Buffer>* data) const {
  const Slot range = node_.slot();
  protocol::ForwardRequest request;
  request.term = settled_.value().term;
  request.range = range;
  request.settled = settled_.value();
  for (const ForwardQueue::Entry& entry : message.entries) {
    request.answered_below = std::max(request.answered_below, entry.answered_below);
    request.durable = request.durable || entry.durable;
    request.sent_to.insert(request.sent_to.end(), entry.sent_to.begin(), entry.sent_to.end());
    request.cuts.merge(entry.cuts);
    for (const Run& run : entry.runs) {
      request.runs.push_back({run.header, run.digests});
      request.runs.back().header.copy = copy_at(holder_, range, node_.slot_count(), node_.copy_count()).value_or(0);
      if (!run.data.empty()) data->push_back(run.data);
    }
  }
  return request;
}

Task<void> Forwarder::send(ForwardQueue::Message message) {
  std::vector<Buffer> data;
  protocol::ForwardRequest request = make_request(message, &data);
  const Time deadline = node_.env.loop.now() + timing::kForwardTimeout;
  auto answer = co_await node_.channel(holder_).call(std::move(request), std::move(data), deadline);
  if (answer) {
    position_ = answer->reply;
    queue_.delivered(message);
    for (const ForwardQueue::Entry& entry : message.entries) on_delivered_(entry.id, position_);
    send_what_may_be_sent();
    co_return;
  }
  if (answer.code() != ErrorCode::Unavailable && answer.code() != ErrorCode::OutcomeUnknown &&
      node_.env.loop.now() - warned_ >= timing::kBlockedLogEvery) {
    warned_ = node_.env.loop.now();
    node_.env.log.warn("a holder refuses a forward slot={} code={} reason=\"{}\"", holder_, to_string(answer.code()),
                       answer.error().message);
  }
  // Still in flight for the queue, so the order of its file is kept meanwhile. A connection that is down is waited for
  // by resume().
  if (node_.channel(holder_).is_up()) co_await sleep_for(node_.env.loop, timing::kForwardAgainAfter);
  queue_.failed(std::move(message));
  send_what_may_be_sent();
}

void Forwarder::ask_for_space() {
  if (node_.env.loop.now() - asked_ < timing::kRetryBackoffMax) return;
  asked_ = node_.env.loop.now();
  scope_.spawn(ask());
}

Task<void> Forwarder::ask() {
  protocol::SyncRequest request;
  const Time deadline = node_.env.loop.now() + timing::kPeerCallTimeout;
  auto answer = co_await node_.channel(holder_).call(std::move(request), std::vector<Buffer>(), deadline);
  if (answer) position_ = answer->reply.durable;
}

}  // namespace mendfs::replication
