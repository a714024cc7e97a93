// What a file may be found to contain: the oracle of acknowledged bytes. Pure.
//
// Every change has a number, and each cell of the file (a block, or a part of one that has a single writer) keeps its
// values in that order. What a reader may see follows from what was acknowledged:
//
//   ops      1      2      3      4      5        value of the cell after each
//                   ^durable      ^settled        fsync / close succeeded for all up to here
//
//   the writer itself    5               exactly what it wrote
//   another mount        3, 4 or 5       later ones are in doubt
//   after lost power     2, 3, 4 or 5    what was never fsync'd may be gone, but no cell is ever torn or invented
//
// When the writer dies, what was not settled stays in doubt for good. Sizes are known to the metaserver: they have
// their own marks, since they may be behind the bytes (until a dead writer's are recovered) or be lost without them.
//
// Requires of the workload: one writer for each cell, and no write to part of a cell while its value is in doubt.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mendfs::sim {

class FileModel {
 public:
  using Mark = std::uint64_t;

  /// Changes up to these have happened, as far as whoever looks knows.
  struct Seen {
    Mark bytes = 0;
    Mark size = 0;
  };

  explicit FileModel(std::uint32_t cell_size) : cell_size_(cell_size) {}

  /// The write was given to the filesystem; whether it was applied is known only from a later settle().
  void write(std::uint64_t offset, std::string_view bytes);
  void truncate(std::uint64_t size);

  /// All changes so far.
  Mark mark() const { return last_; }
  /// Changes up to `mark` are on all copies: a flush or close that began after them has succeeded.
  void settle(Mark mark);
  /// Only the bytes are: nobody has told the size.
  void settle_bytes(Mark mark) { settled_ = std::max(settled_, mark); }
  /// Changes up to `mark` survive a power cut: an fsync that began after them has succeeded.
  void make_durable(Mark mark);
  /// More than one machine lost power: changes that are not durable may be gone. A make_durable() without a report in
  /// between says that they are not.
  void lose_power();
  /// An fsync has said that bytes are lost: which of them is not known, and for good, whatever is synced later.
  void report_loss();
  /// The metaserver's machine lost power: of the sizes that were told, it knows those up to `known`, and durable ones.
  void lose_told_size(Mark known);
  /// The writer has died: changes that are not settled have happened or never will.
  void lose_writer();
  /// After lose_writer(): the size was found to be this. Otherwise a sentence.
  std::optional<std::string> adopt_size(std::uint64_t size);

  Seen seen_by_writer() const { return {last_, last_}; }
  /// By a mount that looks now.
  Seen seen_by_others() const { return {settled_, size_settled_}; }
  /// As the writer sees it.
  std::uint64_t size() const { return sizes_.rbegin()->second; }

  /// Whether a reader who knows that changes up to `seen` have happened may get `bytes` when asking for `asked` of
  /// them; otherwise a sentence.
  std::optional<std::string> check(std::uint64_t offset, std::uint64_t asked, std::string_view bytes, Seen seen) const;

 private:
  struct Value {
    Mark mark;
    std::string bytes;
  };
  using History = std::deque<Value>;

  History& history_of(std::uint64_t cell);
  struct Lost {  // perhaps: changes after the first and up to the second
    Mark after;
    Mark last;
    bool sizes;  // and what they did to the size
    bool for_good;
  };
  /// Neither in doubt for a reader who knows of `seen`, nor perhaps lost.
  bool is_certain(Mark mark, Mark seen) const;
  bool is_certain_size(Mark mark, Mark seen) const;
  bool may_be(std::uint64_t cell, std::size_t begin, std::string_view bytes, Mark seen) const;
  /// The least and the greatest size that may be seen.
  std::pair<std::uint64_t, std::uint64_t> size_bounds(Mark seen) const;

  std::uint32_t cell_size_;
  Mark last_ = 0;
  Mark settled_ = 0;
  Mark size_settled_ = 0;
  Mark durable_ = 0;
  Mark others_until_ = 0;  // changes up to it were made by writers that are dead: no fsync speaks of them
  std::vector<Lost> lost_;
  std::map<std::uint64_t, History> cells_;  // absent: never written, zeros
  std::map<Mark, std::uint64_t> sizes_{{0, 0}};
};

}  // namespace mendfs::sim
