#include "client/read_ahead.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "protocol/timing.h"

namespace mendfs::client {
namespace {

/// What one fetch brings; pieces end at its multiples.
constexpr std::uint64_t kPieceSize = 1u << 20;
/// A file up to this size is fetched while it is being opened.
constexpr std::uint64_t kSmallFileMax = 64u << 10;
/// How many pieces ahead, at first and at most: doubled with each read in order.
constexpr std::uint64_t kPiecesAheadMax = timing::kReadAheadPerHandleMax / kPieceSize;

ContentMark mark_of(const OpenFile& file) { return {file.writes, file.attributes.change}; }

/// Requires: the pieces, all here, contain [offset, offset + size).
Buffer joined(const std::deque<std::shared_ptr<AheadPiece>>& pieces, std::uint64_t offset, std::uint32_t size) {
  if (pieces.size() == 1) return pieces.front()->bytes.slice(offset - pieces.front()->begin, size);
  Buffer bytes = Buffer::allocate(size);
  for (const auto& piece : pieces) {
    const std::uint64_t from = std::max(offset, piece->begin);
    const std::uint64_t to = std::min(offset + size, piece->end);
    std::memcpy(bytes.writable().data() + (from - offset), piece->bytes.data() + (from - piece->begin), to - from);
  }
  return bytes;
}

}  // namespace

void AheadPieces::note_read(std::uint64_t offset, std::uint64_t size) {
  // The kernel may ask for neighbouring stretches in another order.
  const bool is_near = !pieces.empty() && offset >= pieces.front()->begin && offset <= pieces.back()->end;
  if (offset == expected || is_near) {
    ++in_order;
    expected = std::max(expected, offset + size);
  } else {
    in_order = 0;
    expected = offset + size;
    pieces.clear();
  }
  while (pieces.size() > 1 && pieces[1]->end <= offset) pieces.pop_front();
}

std::deque<std::shared_ptr<AheadPiece>> AheadPieces::covering(std::uint64_t offset, std::uint64_t size) const {
  std::deque<std::shared_ptr<AheadPiece>> found;
  for (const auto& piece : pieces)
    if (piece->end > offset && piece->begin < offset + size) found.push_back(piece);
  const bool all = !found.empty() && found.front()->begin <= offset && found.back()->end >= offset + size;
  if (!all) found.clear();
  return found;
}

Task<Result<Buffer>> ReadAhead::read(std::shared_ptr<Handle> handle, std::uint64_t offset, std::uint32_t size) {
  const std::shared_ptr<OpenFile> file = handle->file;
  AheadPieces& ahead = handle->ahead;
  const bool is_old =
      std::any_of(ahead.pieces.begin(), ahead.pieces.end(), [&](const auto& piece) { return !counts(*piece, *file); });
  if (is_old) {
    ahead.pieces.clear();
    // Read slowly, or written meanwhile: not so far ahead again.
    ahead.in_order = std::min(ahead.in_order, 1u);
  }
  ahead.note_read(offset, size);
  fetch_what_comes_next(*handle);
  const std::deque<std::shared_ptr<AheadPiece>> pieces = ahead.covering(offset, size);
  bool all_count = !pieces.empty();
  for (std::size_t i = 0; i < pieces.size() && all_count; ++i) {
    while (pieces[i]->state == AheadPiece::State::OnItsWay) {
      auto ended = pieces[i]->ended.next();
      (void)co_await ended;
    }
    all_count = counts(*pieces[i], *file);
  }
  if (all_count) co_return joined(pieces, offset, size);
  co_return co_await reader_.read(file, offset, size);
}

bool ReadAhead::counts(const AheadPiece& piece, const OpenFile& file) const {
  return piece.state != AheadPiece::State::Failed && piece.mark == mark_of(file) &&
         loop_.now() - piece.asked < timing::kReadAheadKeep;
}

std::shared_ptr<AheadPiece> ReadAhead::fetch_small(std::shared_ptr<OpenFile> file) {
  if (file->size() == 0 || file->size() > kSmallFileMax || *held_ + file->size() > timing::kReadAheadBytesMax)
    return nullptr;
  auto piece = std::make_shared<AheadPiece>(loop_, held_, 0, file->size());
  piece->mark = mark_of(*file);
  scope_.spawn(fetch(std::move(file), piece));
  return piece;
}

void ReadAhead::fetch_what_comes_next(Handle& handle) {
  AheadPieces& ahead = handle.ahead;
  if (ahead.in_order < 2) return;
  const std::shared_ptr<OpenFile>& file = handle.file;
  const std::uint64_t count = std::min(kPiecesAheadMax, std::uint64_t{1} << std::min(ahead.in_order - 2, 10u));
  const std::uint64_t until = std::min(file->size(), ahead.expected + count * kPieceSize);
  for (;;) {
    const std::uint64_t begin = ahead.pieces.empty() ? ahead.expected : ahead.pieces.back()->end;
    if (begin >= until) return;
    const std::uint64_t end = std::min(file->size(), (begin / kPieceSize + 1) * kPieceSize);
    if (*held_ + (end - begin) > timing::kReadAheadBytesMax) return;
    auto piece = std::make_shared<AheadPiece>(loop_, held_, begin, end);
    piece->mark = mark_of(*file);
    ahead.pieces.push_back(piece);
    scope_.spawn(fetch(file, std::move(piece)));
  }
}

Task<void> ReadAhead::fetch(std::shared_ptr<OpenFile> file, std::shared_ptr<AheadPiece> piece) {
  const auto size = static_cast<std::uint32_t>(piece->end - piece->begin);
  Result<Buffer> bytes = co_await reader_.read_at_once(std::move(file), piece->begin, size);
  piece->state = bytes ? AheadPiece::State::Here : AheadPiece::State::Failed;
  if (bytes) piece->bytes = std::move(*bytes);
  piece->ended.notify_all();
}

}  // namespace mendfs::client
