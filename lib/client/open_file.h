// A file that this mount has open, or still has bytes for: what it knows of it, what it has written and not yet
// delivered or told, and who is using it. Changes only here and in the parts it is handed to; no I/O. Loop thread only.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "base/error.h"
#include "client/ahead_pieces.h"
#include "client/filesystem.h"
#include "client/share.h"
#include "client/write_queue.h"
#include "env/future.h"
#include "protocol/data.h"
#include "protocol/meta.h"

namespace mendfs::client {

/// One at a time, in no order: what changes a file's size or times at the metaserver.
class Turn {
 public:
  explicit Turn(Loop& loop) : freed_(loop) {}

  class Guard {
   public:
    explicit Guard(Turn* turn) : turn_(turn) {}
    Guard(Guard&& other) noexcept : turn_(std::exchange(other.turn_, nullptr)) {}
    ~Guard() {
      if (turn_ == nullptr) return;
      turn_->is_taken_ = false;
      turn_->freed_.notify_all();
    }

   private:
    Turn* turn_;
  };
  Task<Guard> take();
  bool is_taken() const { return is_taken_; }

 private:
  bool is_taken_ = false;
  Signal freed_;
};

/// Where bytes are not durable yet: the log of one life of one holder of a range. A holder that lost its un-synced
/// bytes has begun another life.
struct UnsyncedIn {
  Slot range = 0;
  Slot slot = 0;
  Uuid boot;
  Generation generation;
  auto operator<=>(const UnsyncedIn&) const = default;
};

struct OpenFile {
  OpenFile(Loop& loop, protocol::Attributes known, std::uint64_t told_in);

  const InodeNumber inode;
  const Layout layout;

  // What the metaserver said last.
  protocol::Attributes attributes;
  /// In which start of the metaserver.
  std::uint64_t epoch = 0;
  /// Our last change of it, and our last that is not told again if the metaserver loses it, if they may not be durable.
  Change change;
  Change attribute_change;
  Turn turn;

  // What this mount did to it.
  std::vector<WriteQueue> queues;  // by range
  Ticket next_ticket = 1;
  std::size_t held_size = 0;          // written since something was last sent
  bool is_held = false;               // the writer sends it after a moment
  std::uint64_t writes = 0;           // so far, shrinks included
  std::uint64_t writes_synced = 0;    // how many there had been at the last fsync
  bool syncs_each_write = false;      // each fsync so far came after one write
  std::uint64_t written_end = 0;      // of the last byte taken
  std::uint64_t acked_end = 0;        // of the last byte that all copies have
  std::optional<std::int64_t> mtime;  // of writes, or set since, that the metaserver has not heard of
  std::optional<std::int64_t> ctime;  // of the same
  std::optional<std::int64_t> atime;
  bool has_set_times = false;                 // some of these were set by hand
  std::optional<std::int64_t> durable_mtime;  // the last that we told and that survives a power cut
  /// Mode and owner that were set to what they were known to be, and not told: they must still be so after the next
  /// report.
  protocol::SetAttributesRequest unsaid;
  /// Bytes that the metaserver was never told of and that are given up: the file is to end there, as if nothing had
  /// been written beyond.
  struct GivenUp {
    std::uint64_t from = 0;
    bool may_be_stored = false;  // some copy may have them
    bool is_handled = false;     // somebody is about to cut them off
  };
  /// While it is there nothing is sent, so that what is stored beyond can be cut off.
  std::optional<GivenUp> given_up;
  /// A shrink by this mount is on its way: nothing new is sent, since under which cut it counts is not known yet.
  bool is_being_cut = false;
  bool is_reported_soon = false;  // somebody is about to report its times
  /// Raised when everything queued is given up: messages in flight end unanswered.
  std::uint64_t drops = 0;
  /// Up to which position each of them has to be synced.
  std::map<UnsyncedIn, std::uint64_t> unsynced;

  // Who uses it.
  std::uint32_t handle_count = 0;
  std::uint32_t writer_count = 0;
  std::uint32_t waiting_reads = 0;
  bool is_kept = true;         // the kernel may keep attributes of it: it forgets them by itself with each write(2)
  bool has_mark = false;       // the session's write mark is at the metaserver
  bool is_mark_to_go = false;  // it was closed, and a call for many files is about to take the mark away
  bool is_gone = false;        // the metaserver knows it no more
  Time last_used{};            // when its last handle was closed
  SessionId session;           // whose queue this is

  /// Something above has changed.
  Signal changed;

  protocol::FileRef ref() const { return {inode, layout, attributes.cuts}; }
  /// As this mount sees it.
  std::uint64_t size() const { return std::max(attributes.size, written_end); }
  protocol::Attributes view() const;
  /// Takes newer attributes; older ones, overtaken on their way, are ignored. `told_in`: the start of the metaserver
  /// that said so.
  void adopt(const protocol::Attributes& newer, std::uint64_t told_in);

  bool has_queued() const;
  bool has_in_flight() const;
  Ticket oldest_ticket() const;
  std::size_t queued_cost() const;
  /// Up to here everything this mount wrote has been delivered; UINT64_MAX when all of it has.
  std::uint64_t delivered_up_to() const;
  /// Where the last byte that is queued ends, or 0.
  std::uint64_t queued_end() const;
  /// Where the last byte ends that all copies have and the metaserver may be told of.
  std::uint64_t known_end() const { return given_up ? std::min(acked_end, given_up->from) : acked_end; }
  /// Whether the metaserver has to be told something.
  bool has_news() const { return known_end() > attributes.size || mtime.has_value(); }
  /// The metaserver knows the times, but for atime.
  void note_times_told();
  /// Whether an fsync has to tell it: not where nothing is new but the time of a write, by less than a tick.
  bool has_news_for_sync() const;
  /// A write, or whatever else changes the bytes, at this time.
  void note_change_at(std::int64_t time) { mtime = ctime = time; }
  /// Mode and owner that are asked for are known to be so.
  bool is_already(const protocol::SetAttributesRequest& request) const;
  /// Whether the report of a write, still to come, can say all of it too: other times, and a mode and an owner that
  /// are known to be what they are to become. Untarring sets all three after it has written a file.
  bool goes_with_news(const protocol::SetAttributesRequest& request) const;
  /// The report of a write can be made now, and say all of it: the file's only writer seems to have written it, and
  /// sets another mode or owner.
  bool may_be_reported_with(const protocol::SetAttributesRequest& request) const;
  /// Takes times, and what is already so.
  void add_to_news(const protocol::SetAttributesRequest& request, std::int64_t now);
  /// What was not told and has turned out to be otherwise, to be told now; nothing is left.
  std::optional<protocol::SetAttributesRequest> take_contradicted();
  /// An fsync begins.
  void note_sync();
  /// Whether a write that is sent now is best made durable at once: each one lately was followed by an fsync, and then
  /// that fsync finds nothing left to do.
  bool expects_sync() const { return syncs_each_write && writes == writes_synced + 1; }
  /// After this mount has cut it to `size`.
  void note_own_cut(std::uint64_t size);
  /// These bytes of a message that is over were given up, those before `visible_end`. The file ends before the first of
  /// them that it did not have before: nobody sees a gap, and who goes on where it ends misses nothing.
  void give_up(Slot range, std::span<const Piece> pieces, std::uint64_t visible_end, bool may_be_stored);
  /// All that is queued.
  void give_up_queued();
  /// Whether there may be stored bytes beyond the end that are to go.
  bool has_strays() const;
  /// They are gone, or had to stay.
  void forget_given_up();
  /// Pieces of [offset, offset + bytes) that are queued, by range.
  std::vector<std::pair<Slot, Piece>> queued_pieces(std::uint64_t offset, std::uint64_t bytes) const;

 private:
  void end_at(std::uint64_t offset, bool may_be_stored);
};

/// What open() gave out.
struct Handle {
  std::shared_ptr<OpenFile> file;
  OpenFlags flags;
  /// Bytes that were taken and could not be delivered: reported once.
  std::optional<Error> failure;
  AheadPieces ahead;
};

}  // namespace mendfs::client
