#include "client/write_queue.h"

#include <algorithm>
#include <utility>

#include "block/checksum.h"

namespace mendfs::client {
namespace {

/// What a piece costs beyond its bytes: keeps a queue of single bytes from taking a hundred times its bound.
constexpr std::size_t kPieceCost = 256;
/// A header names each part; this many fit well below kFrameHeaderSizeMax.
constexpr std::size_t kPartCountMax = 4096;
/// Zeros take no room in a message, but a server applies them block by block.
constexpr std::uint64_t kHoleBlocksMax = 1u << 20;

std::size_t cost_of(const Piece& piece) { return kPieceCost + piece.data.size(); }

}  // namespace

/// A message being put together.
struct WriteQueue::Selection {
  std::vector<Rows> busy;  // in flight, or taken by a part that is closed
  std::size_t size_left = 0;
  std::vector<Piece> pieces;
  // The part that the next piece may continue.
  bool is_open = false;
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  RunKind kind = RunKind::Data;
  std::size_t part_count = 0;

  /// Whether a piece from `place` on goes on in a block of which the message has the beginning.
  bool goes_on_at(std::uint64_t place, std::uint32_t block_size) const {
    return is_open && place == end && place % block_size != 0;
  }
  void close(std::uint32_t block_size) {
    if (is_open) busy.push_back({begin / block_size, (end - 1) / block_size});
    is_open = false;
  }
};

void WriteQueue::add(Piece piece) {
  MENDFS_ASSERT(piece.begin < piece.end);
  MENDFS_ASSERT(piece.kind == RunKind::Hole || piece.data.size() == piece.size());
  auto place = waiting_.lower_bound(piece.begin);
  if (place != waiting_.begin() && std::prev(place)->second.end > piece.begin) --place;
  while (place != waiting_.end() && place->second.begin < piece.end) {
    const Piece older = pull(place);
    // The older write is done only when what replaced it is.
    piece.ticket = std::min(piece.ticket, older.ticket);
    if (older.begin < piece.begin) put(cut_out(older, older.begin, piece.begin));
    if (older.end > piece.end) put(cut_out(older, piece.end, older.end));
    place = waiting_.lower_bound(piece.begin);
  }
  put(std::move(piece));
}

std::optional<WriteMessage> WriteQueue::take(std::size_t size_max) {
  Selection selection;
  selection.size_left = size_max;
  for (const auto& [number, sent] : in_flight_) {
    for (const Piece& piece : sent.pieces) {
      const Rows rows{piece.begin / layout_.block_size, (piece.end - 1) / layout_.block_size};
      // Small writes side by side are many pieces of a few rows.
      const bool continues = !selection.busy.empty() && rows.first >= selection.busy.back().last &&
                             rows.first - selection.busy.back().last <= 1;
      if (continues)
        selection.busy.back().last = rows.last;
      else
        selection.busy.push_back(rows);
    }
  }

  const std::uint64_t start = next_place_ / layout_.block_size * layout_.block_size;
  split_at(start);
  select(selection, start, UINT64_MAX);
  selection.close(layout_.block_size);
  select(selection, 0, start);
  if (selection.pieces.empty()) return std::nullopt;

  WriteMessage message;
  message.number = next_number_++;
  message.pieces = std::move(selection.pieces);
  next_place_ = message.pieces.back().end;
  std::sort(message.pieces.begin(), message.pieces.end(),
            [](const Piece& a, const Piece& b) { return a.begin < b.begin; });
  for (const Piece& piece : message.pieces) message.ticket = std::min(message.ticket, piece.ticket);
  make_parts(message);
  in_flight_.emplace(message.number, InFlight{message.pieces});
  for (const Piece& piece : message.pieces) cost_ += cost_of(piece);
  return message;
}

std::uint64_t WriteQueue::finish(std::uint64_t number) {
  auto message = in_flight_.extract(number);
  MENDFS_ASSERT(!message.empty());
  for (const Piece& piece : message.mapped().pieces) cost_ -= cost_of(piece);
  return message.mapped().visible_end;
}

void WriteQueue::take_back(std::uint64_t number) {
  auto message = in_flight_.extract(number);
  MENDFS_ASSERT(!message.empty());
  const std::uint64_t limit = message.mapped().visible_end;
  std::vector<Piece> newer;
  while (!waiting_.empty()) newer.push_back(pull(waiting_.begin()));
  for (Piece& piece : message.mapped().pieces) {
    cost_ -= cost_of(piece);
    if (piece.begin < limit) put(cut_out(piece, piece.begin, std::min(piece.end, limit)));
  }
  for (Piece& piece : newer) add(std::move(piece));
}

void WriteQueue::drop_from(std::uint64_t place) {
  for (auto& [number, sent] : in_flight_) sent.visible_end = std::min(sent.visible_end, place);
  while (!waiting_.empty()) {
    auto last = std::prev(waiting_.end());
    if (last->second.end <= place) return;
    const Piece piece = pull(last);
    if (piece.begin < place) put(cut_out(piece, piece.begin, place));
  }
}

std::vector<Piece> WriteQueue::pieces_of(std::uint64_t begin, std::uint64_t end) const {
  std::vector<Piece> found;
  const auto add_part = [&](const Piece& piece, std::uint64_t visible_end) {
    const std::uint64_t from = std::max(begin, piece.begin);
    const std::uint64_t to = std::min({end, piece.end, visible_end});
    if (from < to) found.push_back(cut_out(piece, from, to));
  };
  for (const auto& [number, sent] : in_flight_)
    for (const Piece& piece : sent.pieces) add_part(piece, sent.visible_end);
  auto place = waiting_.lower_bound(begin);
  if (place != waiting_.begin()) --place;
  for (; place != waiting_.end() && place->second.begin < end; ++place) add_part(place->second, UINT64_MAX);
  return found;
}

Ticket WriteQueue::oldest() const {
  Ticket oldest = kNoTicket;
  for (const auto& [begin, piece] : waiting_) oldest = std::min(oldest, piece.ticket);
  for (const auto& [number, sent] : in_flight_)
    for (const Piece& piece : sent.pieces) oldest = std::min(oldest, piece.ticket);
  return oldest;
}

std::uint64_t WriteQueue::first_place() const {
  std::uint64_t first = waiting_.empty() ? UINT64_MAX : waiting_.begin()->first;
  for (const auto& [number, sent] : in_flight_) first = std::min(first, sent.pieces.front().begin);
  return first;
}

std::uint64_t WriteQueue::end_place() const {
  std::uint64_t end = waiting_.empty() ? 0 : waiting_.rbegin()->second.end;
  for (const auto& [number, sent] : in_flight_)
    for (const Piece& piece : sent.pieces)
      if (piece.begin < sent.visible_end) end = std::max(end, std::min(piece.end, sent.visible_end));
  return end;
}

/// A part of a piece; its digests stay right where it is cut between blocks.
Piece WriteQueue::cut_out(const Piece& piece, std::uint64_t begin, std::uint64_t end) const {
  const std::uint64_t block = layout_.block_size;
  Piece part;
  part.begin = begin;
  part.end = end;
  part.kind = piece.kind;
  part.ticket = piece.ticket;
  if (piece.kind == RunKind::Data) part.data = piece.data.slice(begin - piece.begin, end - begin);
  const bool begins_clean = begin == piece.begin || begin % block == 0;
  const bool ends_clean = end == piece.end || end % block == 0;
  if (!piece.digests.empty() && begins_clean && ends_clean) {
    const auto first = piece.digests.begin() + static_cast<std::ptrdiff_t>(begin / block - piece.begin / block);
    part.digests.assign(first, first + static_cast<std::ptrdiff_t>((end - 1) / block - begin / block + 1));
  }
  return part;
}

void WriteQueue::put(Piece piece) {
  cost_ += cost_of(piece);
  const std::uint64_t begin = piece.begin;
  waiting_.emplace(begin, std::move(piece));
}

/// Between two blocks: no piece goes over it any more.
void WriteQueue::split_at(std::uint64_t place) {
  auto later = waiting_.lower_bound(place);
  if (later == waiting_.begin() || std::prev(later)->second.end <= place) return;
  const Piece piece = pull(std::prev(later));
  put(cut_out(piece, piece.begin, place));
  put(cut_out(piece, place, piece.end));
}

Piece WriteQueue::pull(Waiting::iterator place) {
  Piece piece = std::move(waiting_.extract(place).mapped());
  cost_ -= cost_of(piece);
  return piece;
}

/// The first stretch of the piece that touches no busy block and fits what is left of the message.
std::optional<ShareBytes> WriteQueue::free_part(const Piece& piece, const Selection& selection) const {
  const std::uint64_t block = layout_.block_size;
  std::uint64_t row = piece.begin / block;
  const auto covers_row = [&](const Rows& rows) { return rows.first <= row && row <= rows.last; };
  for (auto busy = selection.busy.begin(); busy != selection.busy.end();) {
    busy = std::find_if(selection.busy.begin(), selection.busy.end(), covers_row);
    if (busy != selection.busy.end()) row = busy->last + 1;
  }
  if (row > (piece.end - 1) / block) return std::nullopt;
  std::uint64_t row_limit = UINT64_MAX;
  for (const Rows& rows : selection.busy)
    if (rows.first > row) row_limit = std::min(row_limit, rows.first);

  ShareBytes part{range_, std::max(piece.begin, row * block), piece.end};
  if (row_limit <= (piece.end - 1) / block) part.end = row_limit * block;
  const std::uint64_t size_max = piece.kind == RunKind::Hole ? kHoleBlocksMax * block : selection.size_left;
  if (part.end - part.begin > size_max) {
    part.end = (part.begin + size_max) / block * block;
    // A message has at least one block, however small the bound, and the whole of its last one.
    const bool is_needed = selection.pieces.empty() || selection.goes_on_at(part.begin, layout_.block_size);
    if (part.end <= part.begin && is_needed) part.end = (row + 1) * block;
    if (part.end <= part.begin) return std::nullopt;
    part.end = std::min(part.end, piece.end);
  }
  return part;
}

/// Moves into the selection what it can take of the pieces that begin in [from, to).
void WriteQueue::select(Selection& selection, std::uint64_t from, std::uint64_t to) {
  auto place = waiting_.lower_bound(from);
  while (place != waiting_.end() && place->first < to) {
    const Piece& next = place->second;
    const bool is_full = selection.size_left == 0 || selection.part_count >= kPartCountMax;
    if (is_full && !selection.goes_on_at(next.begin, layout_.block_size)) return;
    if (!selection.is_open || next.begin != selection.end || next.kind != selection.kind)
      selection.close(layout_.block_size);
    const std::optional<ShareBytes> part = free_part(next, selection);
    if (!part) {
      ++place;
      continue;
    }
    const Piece piece = pull(place);
    if (piece.begin < part->begin) put(cut_out(piece, piece.begin, part->begin));
    if (part->end < piece.end) put(cut_out(piece, part->end, piece.end));
    if (selection.is_open && part->begin != selection.end) selection.close(layout_.block_size);
    if (!selection.is_open) {
      selection.is_open = true;
      selection.begin = part->begin;
      selection.kind = piece.kind;
      ++selection.part_count;
    }
    selection.end = part->end;
    selection.pieces.push_back(cut_out(piece, part->begin, part->end));
    selection.size_left -= std::min<std::uint64_t>(selection.size_left, selection.pieces.back().data.size());
    place = waiting_.lower_bound(part->end);
  }
}

void WriteQueue::make_parts(WriteMessage& message) const {
  const std::uint64_t block = layout_.block_size;
  const std::span<const Piece> pieces = message.pieces;
  for (std::size_t first = 0; first < pieces.size();) {
    std::size_t next = first + 1;
    while (next < pieces.size() && pieces[next].begin == pieces[next - 1].end &&
           pieces[next].kind == pieces[first].kind)
      ++next;
    const std::span<const Piece> run = pieces.subspan(first, next - first);
    const ShareBytes bytes{range_, run.front().begin, run.back().end};
    protocol::WritePart part;
    part.kind = run.front().kind;
    part.blocks = blocks_of(bytes, layout_);
    part.first_begin = static_cast<std::uint32_t>(bytes.begin % block);
    part.last_end = static_cast<std::uint32_t>((bytes.end - 1) % block + 1);
    if (part.kind == RunKind::Data) {
      part.digests = digests_of_part(run);
      for (const Piece& piece : run) message.data.push_back(piece.data);
    }
    message.parts.push_back(std::move(part));
    first = next;
  }
}

/// Of contiguous pieces. A block that lies in one piece with digests is not hashed again, a partial one not at all:
/// what becomes of it the primary hashes.
std::vector<Digest> WriteQueue::digests_of_part(std::span<const Piece> pieces) const {
  const std::uint64_t block = layout_.block_size;
  const std::uint64_t begin = pieces.front().begin;
  const std::uint64_t end = pieces.back().end;
  std::vector<Digest> digests;
  std::vector<std::byte> joined;
  std::size_t at = 0;
  for (std::uint64_t row = begin / block; row * block < end; ++row) {
    const std::uint64_t from = std::max(begin, row * block);
    const std::uint64_t to = std::min(end, (row + 1) * block);
    if (to - from < block) {
      digests.emplace_back();
      continue;
    }
    while (pieces[at].end <= from) ++at;
    const Piece& piece = pieces[at];
    if (piece.end >= to && !piece.digests.empty()) {
      digests.push_back(piece.digests[row - piece.begin / block]);
      continue;
    }
    joined.clear();
    for (std::size_t i = at; i < pieces.size() && pieces[i].begin < to; ++i) {
      const std::uint64_t part_from = std::max(from, pieces[i].begin);
      const ByteView bytes =
          pieces[i].data.view().subspan(part_from - pieces[i].begin, std::min(to, pieces[i].end) - part_from);
      joined.insert(joined.end(), bytes.begin(), bytes.end());
    }
    digests.push_back(sha256(joined));
  }
  return digests;
}

}  // namespace mendfs::client
