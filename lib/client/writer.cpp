#include "client/writer.h"

#include <algorithm>
#include <utility>

#include "block/placement.h"
#include "client/backoff.h"
#include "protocol/timing.h"

namespace mendfs::client {
namespace {

/// Two keep a primary busy; what waits meanwhile goes out together.
constexpr std::size_t kMessagesInFlightMax = 2;

/// Whether more is to come after the first write of a file, of this size. An archiver writes its blocks of 512 bytes as
/// its buffer has them, and the kernel makes its next write end with a page; most other files come in one write.
bool is_followed(std::uint64_t size) {
  constexpr std::uint64_t kArchiveBlock = 512;
  constexpr std::uint64_t kPage = 4096;
  return size % kArchiveBlock == 0 && size % kPage != 0;
}

}  // namespace

/// One message on its way.
struct Writer::Delivery {
  std::shared_ptr<OpenFile> file;
  Slot range = 0;
  WriteMessage message;
  protocol::WriteRequest request;
  std::uint64_t drops = 0;
  std::string reason = "no answer yet";
  bool may_be_stored = false;  // an attempt ended so that nobody knows
};

Writer::Writer(Loop& loop, Servers& servers, MetaClient& meta, WaitLog& waits, Duration timeout, Hooks hooks)
    : loop_(loop),
      servers_(servers),
      meta_(meta),
      waits_(waits),
      timeout_(timeout),
      hooks_(std::move(hooks)),
      room_(loop) {}

Task<void> Writer::until_room(std::shared_ptr<OpenFile> file) {
  while (file->queued_cost() >= timing::kQueuedBytesPerFileMax || queued_ >= timing::kQueuedBytesMax) {
    auto room = room_.next();
    (void)co_await room;
  }
}

void Writer::count_cost(OpenFile& file, std::size_t before) { queued_ = queued_ + file.queued_cost() - before; }

Ticket Writer::write(const std::shared_ptr<OpenFile>& file, const PreparedWrite& bytes) {
  const std::size_t before = file->queued_cost();
  const Ticket ticket = file->next_ticket++;
  ++file->writes;
  const std::uint64_t block_size = file->layout.block_size;
  const BlockIndex first_block = bytes.offset / block_size;
  for (const ShareBytes& share : split_by_range(bytes.offset, bytes.data.size(), file->layout)) {
    Piece piece{share.begin, share.end, RunKind::Data, {}, {}, ticket};
    piece.data = gather(bytes.data, bytes.offset, share, file->layout);
    if (bytes.block_size == block_size) {
      const BlockRun blocks = blocks_of(share, file->layout);
      for (std::uint32_t i = 0; i < blocks.count; ++i)
        piece.digests.push_back(bytes.digests[blocks.at(i) - first_block]);
    }
    file->queues[share.range].add(std::move(piece));
  }
  file->written_end = std::max(file->written_end, bytes.offset + bytes.data.size());
  file->note_change_at(loop_.wall_now());
  count_cost(*file, before);
  if (bytes.offset == 0 && !is_followed(bytes.data.size()))
    pump(file);
  else
    send_soon(file, bytes.data.size());
  return ticket;
}

void Writer::send_soon(const std::shared_ptr<OpenFile>& file, std::size_t size) {
  file->held_size += size;
  if (file->held_size >= timing::kWriteGatherSize || file->expects_sync()) return pump(file);
  if (file->is_held) return;
  file->is_held = true;
  held_.push_back(file);
  if (held_.size() == 1) scope_.spawn(send_held());
}

Task<void> Writer::send_held() {
  co_await sleep_for(loop_, timing::kWriteGather);
  const std::vector<std::shared_ptr<OpenFile>> files = std::exchange(held_, {});
  for (const std::shared_ptr<OpenFile>& file : files) {
    file->is_held = false;
    pump(file);
  }
}

Ticket Writer::write_hole(const std::shared_ptr<OpenFile>& file, std::uint64_t offset, std::uint64_t size) {
  const std::size_t before = file->queued_cost();
  const Ticket ticket = file->next_ticket++;
  ++file->writes;
  for (const ShareBytes& share : split_by_range(offset, size, file->layout))
    file->queues[share.range].add({share.begin, share.end, RunKind::Hole, {}, {}, ticket});
  file->note_change_at(loop_.wall_now());
  count_cost(*file, before);
  pump(file);
  return ticket;
}

bool Writer::is_blocked(const OpenFile& file, std::uint64_t offset, std::uint64_t size) const {
  for (const ShareBytes& share : split_by_range(offset, size, file.layout)) {
    if (full_ranges_.contains(share.range)) return true;
    for (const Slot slot : holders_of(share.range, file.layout.slot_count, file.layout.copy_count))
      if (!servers_.is_up(slot)) return true;
  }
  return false;
}

Task<void> Writer::until_delivered(std::shared_ptr<OpenFile> file, Ticket ticket) {
  pump(file);
  while (file->oldest_ticket() <= ticket) {
    auto changed = file->changed.next();
    (void)co_await changed;
  }
}

void Writer::drop(OpenFile& file, const Error& why) {
  if (!file.has_queued()) return;
  const std::size_t before = file.queued_cost();
  file.give_up_queued();
  count_cost(file, before);
  ++file.drops;
  ++file.writes;
  hooks_.on_failure(file, why);
  file.changed.notify_all();
}

void Writer::pump(const std::shared_ptr<OpenFile>& file) {
  if (file->is_being_cut || file->given_up) return;
  file->held_size = 0;
  const std::size_t before = file->queued_cost();
  std::vector<std::pair<Slot, WriteMessage>> messages;
  for (Slot range = 0; range < file->queues.size(); ++range) {
    WriteQueue& queue = file->queues[range];
    while (queue.has_waiting() && queue.in_flight_count() < kMessagesInFlightMax) {
      std::optional<WriteMessage> message = queue.take(timing::kWriteMessageSizeMax);
      if (!message) break;
      messages.emplace_back(range, std::move(*message));
    }
  }
  count_cost(*file, before);
  std::vector<Slot> sent_to;
  if (file->expects_sync())
    for (const auto& [range, message] : messages) sent_to.push_back(range);
  for (auto& [range, message] : messages) scope_.spawn(deliver(file, range, std::move(message), sent_to));
}

Task<void> Writer::deliver(std::shared_ptr<OpenFile> file, Slot range, WriteMessage message,
                           std::vector<Slot> sent_to) {
  Delivery delivery;
  delivery.file = file;
  delivery.range = range;
  delivery.message = std::move(message);
  delivery.drops = file->drops;
  delivery.request.file = file->ref();
  delivery.request.parts = delivery.message.parts;
  delivery.request.durable = !sent_to.empty();
  delivery.request.sent_to = std::move(sent_to);
  const Result<protocol::WriteReply> reply = co_await send(&delivery);
  unanswered_.erase(delivery.request.id.sequence);

  const std::size_t before = file->queued_cost();
  WriteQueue& queue = file->queues[range];
  const std::uint64_t number = delivery.message.number;
  if (reply) {
    delivered(delivery, *reply);
    queue.finish(number);
    full_ranges_.erase(range);
  } else if (reply.code() == ErrorCode::Stale) {
    // Nothing of it was applied. Bytes that our own cut took away stay away; the rest counts as written after the cut.
    queue.take_back(number);
  } else {
    const std::uint64_t visible_end = queue.finish(number);
    if (reply.code() == ErrorCode::NoSpace) full_ranges_.insert(range);
    if (file->drops == delivery.drops) {
      // A server without space has taken nothing, unless it was asked before.
      const bool may_be_stored = reply.code() != ErrorCode::NoSpace || delivery.may_be_stored;
      file->give_up(range, delivery.message.pieces, visible_end, may_be_stored);
      hooks_.on_failure(*file, reply.error());
    }
  }
  count_cost(*file, before);
  room_.notify_all();
  file->changed.notify_all();
  pump(file);
}

/// Until there is an answer that will not change.
Task<Result<protocol::WriteReply>> Writer::send(Delivery* delivery) {
  OpenFile& file = *delivery->file;
  protocol::WriteRequest& request = delivery->request;
  const Slot primary = delivery->range;
  protocol::Channel& channel = servers_.channel(primary);
  const std::vector<Slot> holders = holders_of(primary, file.layout.slot_count, file.layout.copy_count);
  WaitLog::Entry wait(waits_, "write", file.inode,
                      [this, &holders, delivery] { return servers_.blame(holders, delivery->reason); });
  Backoff backoff;
  for (;;) {
    if (file.drops != delivery->drops) co_return Error{ErrorCode::Io, "given up"};
    if (timeout_ > Duration::zero() && wait.waited() >= timeout_)
      co_return Error{ErrorCode::Io, "not delivered in time: " + delivery->reason};
    if (file.session != meta_.session()) {
      // A new session: whether these bytes may still be written is being looked up.
      delivery->reason = "the session is being renewed";
      auto changed = file.changed.next();
      (void)co_await changed.until(loop_.now() + timing::kRetryBackoffMax);
      continue;
    }
    if (request.id.session != meta_.session()) {
      unanswered_.erase(request.id.sequence);
      request.id = {meta_.session(), next_sequence_++};
      unanswered_.insert(request.id.sequence);
      request.retry = false;
    }
    if (!channel.is_up()) {
      (void)co_await channel.until_up(loop_.now() + timing::kRetryBackoffMax);
      continue;
    }
    request.answered_below = answered_below();
    protocol::WriteRequest copy = request;
    std::vector<Buffer> data = delivery->message.data;
    auto answer =
        co_await channel.call(std::move(copy), std::move(data),
                              loop_.now() + attempt_limit(timing::kWriteResendAfter, timeout_, wait.waited()));
    if (answer) co_return std::move(answer->reply);
    request.retry = true;
    delivery->reason = answer.error().message;
    switch (answer.code()) {
      case ErrorCode::Unavailable:
      case ErrorCode::OutcomeUnknown:
      case ErrorCode::Corruption:
        break;
      case ErrorCode::Refused:
        // Fenced: the metaserver says so too at the next renewal, and then there is a new session.
        break;
      case ErrorCode::Stale: {
        const Result<void> refreshed = co_await hooks_.refresh(delivery->file);
        if (!refreshed) co_return refreshed.error();
        if (file.attributes.cuts == request.file.cuts) break;
        co_return answer.error();
      }
      default:
        co_return answer.error();
    }
    delivery->may_be_stored = true;
    co_await sleep_for(loop_, backoff.next());
  }
}

void Writer::delivered(Delivery& delivery, const protocol::WriteReply& reply) {
  OpenFile& file = *delivery.file;
  // What was cut since it was sent counts no more.
  const std::uint64_t limit = file.attributes.cuts.limit_for(delivery.request.file.cuts.number());
  for (const Piece& piece : delivery.message.pieces) {
    if (piece.kind == RunKind::Hole) continue;
    const std::uint64_t end = offset_of(delivery.range, piece.end - 1, file.layout) + 1;
    file.acked_end = std::max(file.acked_end, std::min(end, limit));
  }
  for (const protocol::HolderPosition& position : reply.holders) {
    if (!copy_at(position.slot, delivery.range, file.layout.slot_count, file.layout.copy_count)) continue;
    std::uint64_t& last = file.unsynced[{delivery.range, position.slot, position.boot, position.generation}];
    last = std::max(last, position.position);
    if (delivery.request.durable) servers_.note_durable(position);
  }
}

}  // namespace mendfs::client
