// What one mount has taken for one range of one file and not yet delivered. Decides what goes into the next message to
// the primary; knows nothing of connections. Pure; one thread.
//
// Bytes wait as pieces, later ones replacing earlier ones, until take() freezes some into a message. From then on that
// message never changes: it is sent again, identical, until it is finished or taken back. No two messages in flight
// touch the same block, so a block's writes reach its primary in the order in which they were made; and what waits of a
// block side by side goes in one message, so that others never see half of a write within a block, whatever has
// replaced parts of it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <vector>

#include "base/buffer.h"
#include "block/run.h"
#include "block/types.h"
#include "client/share.h"
#include "protocol/data.h"

namespace mendfs::client {

/// Counts the user writes of a file, so that a flush knows when those before it are done.
using Ticket = std::uint64_t;
constexpr Ticket kNoTicket = UINT64_MAX;

/// Bytes [begin, end) of the share, in places (share.h).
struct Piece {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  RunKind kind = RunKind::Data;  // or Hole: zeros that take no memory
  Buffer data;                   // of kind Data: end - begin bytes
  /// Of the bytes that are here of each block touched. Empty: hashed when the message is made.
  std::vector<Digest> digests;
  Ticket ticket = 0;  // of the oldest write whose place it took

  std::uint64_t size() const { return end - begin; }
};

/// A frozen message.
struct WriteMessage {
  std::uint64_t number = 0;   // names it to the queue it came from
  std::vector<Piece> pieces;  // ascending, disjoint
  std::vector<protocol::WritePart> parts;
  std::vector<Buffer> data;
  Ticket ticket = kNoTicket;  // the least of its pieces
};

class WriteQueue {
 public:
  WriteQueue(Slot range, const Layout& layout) : range_(range), layout_(layout) {}

  /// Requires: the piece is not empty, its data and digests fit it.
  void add(Piece piece);

  /// The next message, of about `size_max` bytes of data at most, or nothing: all that waits touches blocks in flight,
  /// or nothing waits. It is in flight from then on.
  std::optional<WriteMessage> take(std::size_t size_max);
  /// Every copy has it, or it is given up. The place up to which it still counted.
  std::uint64_t finish(std::uint64_t number);
  /// It was refused and nothing of it will be applied: what still counts of it waits again, below what came later.
  void take_back(std::uint64_t number);

  /// Forgets what waits from `place` on. Messages in flight stay, but what they have there counts no more.
  void drop_from(std::uint64_t place);

  /// What is in flight and what waits of [begin, end), in the order in which to apply it.
  std::vector<Piece> pieces_of(std::uint64_t begin, std::uint64_t end) const;

  bool empty() const { return waiting_.empty() && in_flight_.empty(); }
  bool has_waiting() const { return !waiting_.empty(); }
  std::size_t in_flight_count() const { return in_flight_.size(); }
  /// The least ticket of anything here, or kNoTicket.
  Ticket oldest() const;
  /// Where the first byte not yet delivered is, in places, or UINT64_MAX.
  std::uint64_t first_place() const;
  /// Where the last byte that counts ends, or 0.
  std::uint64_t end_place() const;
  /// Memory it holds, roughly: bytes and a fixed cost for each piece.
  std::size_t cost() const { return cost_; }

 private:
  struct Rows {  // blocks of the share, both included
    std::uint64_t first, last;
  };
  struct Selection;
  using Waiting = std::map<std::uint64_t, Piece>;  // by begin; disjoint

  Piece cut_out(const Piece& piece, std::uint64_t begin, std::uint64_t end) const;
  void put(Piece piece);
  void split_at(std::uint64_t place);
  Piece pull(Waiting::iterator place);
  std::optional<ShareBytes> free_part(const Piece& piece, const Selection& selection) const;
  void select(Selection& selection, std::uint64_t from, std::uint64_t to);
  void make_parts(WriteMessage& message) const;
  std::vector<Digest> digests_of_part(std::span<const Piece> pieces) const;

  Slot range_;
  Layout layout_;
  Waiting waiting_;
  struct InFlight {
    std::vector<Piece> pieces;
    std::uint64_t visible_end = UINT64_MAX;  // what lies beyond was dropped since it was sent
  };
  std::map<std::uint64_t, InFlight> in_flight_;
  std::uint64_t next_number_ = 1;
  std::uint64_t next_place_ = 0;  // where take() goes on, so that no piece waits for ever behind busier ones
  std::size_t cost_ = 0;
};

}  // namespace mendfs::client
