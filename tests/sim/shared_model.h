// What a file may be found to contain that several mounts write at once: the oracle of concurrent writes. Pure.
//
// The promise is one order for each block. Every write is whole in each block that it touches, a write that was
// acknowledged before another one began comes before it, and of what is acknowledged all readers see the same order:
//
//   block    |----- a -----|            a and b overlap and are acknowledged both. Who reads "aab" has seen a before b
//   another       |---- b ----|         in this block, and nobody may ever read a's bytes where both wrote.
//
// Which writes a reader saw follows from the bytes of each stretch of the block that the same writes cover. What it
// says of the order of acknowledged writes is kept: an order that goes in a circle is the failure.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mendfs::sim {

class SharedModel {
 public:
  using Write = std::size_t;
  /// When something began or was known, in the order of the run.
  using Moment = std::uint64_t;
  /// Names one life of one mount.
  using Mount = std::uint64_t;

  /// `content` is there before everything else, for good.
  SharedModel(std::string content, std::uint32_t block_size);

  std::uint64_t size() const { return writes_.front().bytes.size(); }
  Moment now() { return ++clock_; }

  /// A write is given to a mount.
  Write begin(Mount mount, std::uint64_t offset, std::string bytes);
  /// The mount has taken it: it comes before what is given to this mount from now on for the same bytes.
  void taken(Write write) { writes_[write].taken = now(); }
  /// It was on all copies, as a flush or close that began after it was taken says. A write that ended with an error
  /// never is, nor one that a loss of power may have taken before it was asked for: it may be seen or not.
  void settle(Write write);
  /// It also survives a power cut, as an fsync says.
  void make_durable(Write write);
  /// Power was lost in a way that may take what is not durable.
  void lose_power();

  /// Whether somebody who began to read everything at `since` may get `bytes`; otherwise a sentence. A mount sees its
  /// own writes before others do, in an order that is not settled: `own` is that of the reader.
  std::optional<std::string> check(std::string_view bytes, Moment since, Mount own);

 private:
  struct Written {
    Mount mount;
    std::uint64_t offset;
    std::string bytes;
    Moment begun;
    std::uint64_t losses_before;
    Moment taken = UINT64_MAX;
    Moment settled = UINT64_MAX;  // not, or not any more
    bool is_durable = false;

    bool covers(std::uint64_t from, std::uint64_t to) const { return offset <= from && to <= offset + bytes.size(); }
    bool overlaps(const Written& other) const {
      return offset < other.offset + other.bytes.size() && other.offset < offset + bytes.size();
    }
    std::string_view at(std::uint64_t from, std::uint64_t to) const {
      return std::string_view(bytes).substr(from - offset, to - from);
    }
  };
  /// A stretch of a block between two ends of writes, and what was found there.
  struct Stretch {
    std::uint64_t from, to;
    std::optional<Write> shown;  // nothing: more than one could be meant
  };
  std::vector<std::uint64_t> ends_in(std::uint64_t begin, std::uint64_t end) const;
  std::optional<std::string> check_block(std::uint64_t begin, std::string_view bytes, Moment since, Mount own);
  /// By block: which write came before which.
  using Order = std::set<std::pair<std::uint64_t, std::pair<Write, Write>>>;
  bool is_before(std::uint64_t block, Write a, Write b, const Order& here, Moment since) const;
  std::string describe(Write write) const;

  std::uint32_t block_size_;
  Moment clock_ = 0;
  std::uint64_t losses_ = 0;
  std::vector<Written> writes_;
  std::vector<std::vector<Write>> of_block_;  // those that touch it
  Order seen_;                                // of writes that were settled when they were seen
};

}  // namespace mendfs::sim
