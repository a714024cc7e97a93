#include "client/open_file.h"

#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "protocol/timing.h"

namespace mendfs::client {

Task<Turn::Guard> Turn::take() {
  while (is_taken_) {
    auto freed = freed_.next();
    (void)co_await freed;
  }
  is_taken_ = true;
  co_return Guard(this);
}

OpenFile::OpenFile(Loop& loop, protocol::Attributes known, std::uint64_t told_in)
    : inode(known.inode),
      layout(known.layout),
      attributes(std::move(known)),
      epoch(told_in),
      turn(loop),
      changed(loop) {
  for (Slot range = 0; range < layout.slot_count; ++range) queues.emplace_back(range, layout);
}

protocol::Attributes OpenFile::view() const {
  protocol::Attributes seen = attributes;
  seen.size = size();
  if (mtime) seen.mtime = *mtime;
  if (ctime) seen.ctime = *ctime;
  if (atime) seen.atime = *atime;
  return seen;
}

void OpenFile::adopt(const protocol::Attributes& newer, std::uint64_t told_in) {
  epoch = std::max(epoch, told_in);
  // What a restarted metaserver has found is durable.
  if (change.epoch < told_in) change = {};
  // A later start of the metaserver knows less: it lost the end of its log in a power cut.
  const bool is_lost = told_in > attributes.change >> kEpochShift;
  if (newer.change < attributes.change && !is_lost) return;
  if (newer.cuts.number() > attributes.cuts.number()) {
    // Somebody cut it: what was delivered before may be gone, what is queued is still to come.
    const std::uint64_t limit = newer.cuts.limit_for(attributes.cuts.number());
    written_end = std::max(std::min(written_end, limit), queued_end());
    acked_end = std::min(acked_end, limit);
  }
  attributes = newer;
}

bool OpenFile::has_queued() const {
  return std::any_of(queues.begin(), queues.end(), [](const WriteQueue& queue) { return !queue.empty(); });
}

bool OpenFile::has_in_flight() const {
  return std::any_of(queues.begin(), queues.end(), [](const WriteQueue& queue) { return queue.in_flight_count() > 0; });
}

Ticket OpenFile::oldest_ticket() const {
  Ticket oldest = kNoTicket;
  for (const WriteQueue& queue : queues) oldest = std::min(oldest, queue.oldest());
  return oldest;
}

std::size_t OpenFile::queued_cost() const {
  std::size_t cost = 0;
  for (const WriteQueue& queue : queues) cost += queue.cost();
  return cost;
}

std::uint64_t OpenFile::delivered_up_to() const {
  std::uint64_t first = UINT64_MAX;
  for (Slot range = 0; range < queues.size(); ++range) {
    const std::uint64_t place = queues[range].first_place();
    if (place != UINT64_MAX) first = std::min(first, offset_of(range, place, layout));
  }
  return first;
}

std::uint64_t OpenFile::queued_end() const {
  std::uint64_t end = 0;
  for (Slot range = 0; range < queues.size(); ++range)
    if (const std::uint64_t place = queues[range].end_place(); place > 0)
      end = std::max(end, offset_of(range, place - 1, layout) + 1);
  return end;
}

bool OpenFile::is_already(const protocol::SetAttributesRequest& request) const {
  return (!request.mode || *request.mode == (attributes.mode & ~static_cast<std::uint32_t>(S_IFMT))) &&
         (!request.uid || *request.uid == attributes.uid) && (!request.gid || *request.gid == attributes.gid);
}

bool OpenFile::goes_with_news(const protocol::SetAttributesRequest& request) const {
  if (!has_mark || !mtime || request.size || request.clear_suid) return false;
  // Who changes the owner of a program with S_ISUID changes its mode too.
  if ((attributes.mode & (S_ISUID | S_ISGID)) != 0) return false;
  return is_already(request);
}

bool OpenFile::may_be_reported_with(const protocol::SetAttributesRequest& request) const {
  if (!has_mark || writer_count > 1 || !mtime || given_up || is_being_cut) return false;
  return !request.size && !request.clear_suid;
}

void OpenFile::note_times_told() {
  mtime.reset();
  ctime.reset();
  has_set_times = false;
}

bool OpenFile::has_news_for_sync() const {
  if (!mtime || known_end() > attributes.size || has_set_times) return has_news();
  const bool is_durable = durable_mtime == attributes.mtime;
  const std::int64_t later = *mtime - attributes.mtime;
  return !is_durable || later < 0 || later >= std::chrono::nanoseconds(timing::kTimesTick).count();
}

void OpenFile::add_to_news(const protocol::SetAttributesRequest& request, std::int64_t now) {
  ctime = now;
  has_set_times = true;
  if (request.mtime) mtime = request.mtime->now ? now : request.mtime->time;
  if (request.atime) atime = request.atime->now ? now : request.atime->time;
  if (!is_already(request)) return;
  if (request.mode) unsaid.mode = request.mode;
  if (request.uid) unsaid.uid = request.uid;
  if (request.gid) unsaid.gid = request.gid;
}

std::optional<protocol::SetAttributesRequest> OpenFile::take_contradicted() {
  protocol::SetAttributesRequest said = std::exchange(unsaid, {});
  said.inode = inode;
  if (is_already(said)) return std::nullopt;
  return said;
}

void OpenFile::note_sync() {
  syncs_each_write = writes == writes_synced + 1;
  writes_synced = writes;
}

void OpenFile::note_own_cut(std::uint64_t size) {
  ++writes;
  for (Slot range = 0; range < queues.size(); ++range) queues[range].drop_from(place_before(range, size, layout));
  written_end = std::min(written_end, size);
  acked_end = std::min(acked_end, size);
}

void OpenFile::give_up(Slot range, std::span<const Piece> pieces, std::uint64_t visible_end, bool may_be_stored) {
  const std::uint64_t told = place_before(range, attributes.size, layout);
  for (const Piece& piece : pieces) {
    const std::uint64_t first = std::max(piece.begin, told);
    if (first < std::min(piece.end, visible_end)) return end_at(offset_of(range, first, layout), may_be_stored);
  }
}

void OpenFile::give_up_queued() {
  const std::uint64_t first = delivered_up_to();
  for (WriteQueue& queue : queues) queue.drop_from(0);
  if (written_end > attributes.size) end_at(std::max(first, attributes.size), true);
}

void OpenFile::end_at(std::uint64_t offset, bool may_be_stored) {
  if (!given_up) given_up = GivenUp{.from = offset};
  given_up->from = std::min(given_up->from, offset);
  given_up->may_be_stored = given_up->may_be_stored || may_be_stored;
  for (Slot range = 0; range < queues.size(); ++range) queues[range].drop_from(place_before(range, offset, layout));
  // Not there if a write that was to begin there was the first beyond the end.
  written_end = std::max(known_end(), queued_end());
  ++writes;
}

bool OpenFile::has_strays() const {
  return given_up && (given_up->may_be_stored || acked_end > std::max(given_up->from, attributes.size));
}

void OpenFile::forget_given_up() {
  acked_end = std::min(acked_end, std::max(given_up->from, attributes.size));
  given_up.reset();
}

std::vector<std::pair<Slot, Piece>> OpenFile::queued_pieces(std::uint64_t offset, std::uint64_t bytes) const {
  std::vector<std::pair<Slot, Piece>> found;
  if (!has_queued()) return found;
  for (const ShareBytes& share : split_by_range(offset, bytes, layout))
    for (Piece& piece : queues[share.range].pieces_of(share.begin, share.end))
      found.emplace_back(share.range, std::move(piece));
  return found;
}

}  // namespace mendfs::client
