// The identities that everything is built from (docs/design.md, "Identities and placement").
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace mendfs {

/// A file, for ever: never used again, not even when a power cut loses the end of the log, because the high 24 bits
/// are the start epoch of the metaserver that made it.
using InodeNumber = std::uint64_t;
constexpr InodeNumber kRootInode = 1;
constexpr int kEpochShift = 40;

using RingNumber = std::uint64_t;
/// A dataserver's place in its ring, 0 .. N-1.
using Slot = std::uint32_t;
/// A block of a file, counted from 0.
using BlockIndex = std::uint64_t;

constexpr std::uint32_t kBlockSizeDefault = 512;
constexpr std::uint32_t kCopyCountDefault = 2;
constexpr std::uint32_t kSlotCountMax = 256;
/// Files end below this offset, as on Linux (loff_t).
constexpr std::uint64_t kFileSizeMax = 0x7fff'ffff'ffff'ffffULL - 0xfff;

/// 128 random bits.
struct Uuid {
  std::uint64_t high = 0;
  std::uint64_t low = 0;
  auto operator<=>(const Uuid&) const = default;
  bool is_zero() const { return high == 0 && low == 0; }
  template <class V>
  void fields(V& v) {
    v("high", high);
    v("low", low);
  }
};
std::string to_string(const Uuid& id);  // 32 hex digits

using ClusterId = Uuid;
using SessionId = Uuid;
/// A life of a dataserver's store: an emptied directory begins a new one.
using Generation = Uuid;

/// Fixed when a file is created and kept in its inode; a rename moves no block.
struct Layout {
  RingNumber ring = 0;
  std::uint32_t slot_count = 0;  // N, 2 .. kSlotCountMax
  std::uint32_t start = 0;       // x, 0 .. N-1
  std::uint32_t block_size = kBlockSizeDefault;
  std::uint32_t copy_count = kCopyCountDefault;  // R, 1 .. N

  bool operator==(const Layout&) const = default;
  template <class V>
  void fields(V& v) {
    v("ring", ring);
    v("slot_count", slot_count);
    v("start", start);
    v("block_size", block_size);
    v("copy_count", copy_count);
  }
};

/// The order of what was written to a block, made by the block's primary. Zero means: never written.
struct Version {
  std::uint64_t term = 0;
  std::uint64_t count = 0;
  auto operator<=>(const Version&) const = default;
  bool is_zero() const { return term == 0 && count == 0; }
  template <class V>
  void fields(V& v) {
    v("term", term);
    v("count", count);
  }
};

/// Which write of which client: kept with the data, so that a retry is known again.
struct WriteId {
  SessionId session;
  std::uint64_t sequence = 0;
  auto operator<=>(const WriteId&) const = default;
  template <class V>
  void fields(V& v) {
    v("session", session);
    v("sequence", sequence);
  }
};

/// One shrink of a file: bytes from `size` on that were written under a lower number are dead, for every purpose.
struct Cut {
  std::uint64_t number = 0;
  std::uint64_t size = 0;
  bool operator==(const Cut&) const = default;
  template <class V>
  void fields(V& v) {
    v("number", number);
    v("size", size);
  }
};

/// The cuts of a file that matter: numbers rise, sizes rise (a cut to fewer bytes makes the earlier, longer ones
/// irrelevant). Everything a server must know to judge any run of the file, so no server ever has to ask.
///
///   truncated to 100 (cut 1), then to 40 (cut 2), then to 70 (cut 3):   {2, 40} {3, 70}
///   a run written under cut 0 or 1 ends at byte 40, one under cut 2 at byte 70, one under cut 3 nowhere.
class CutList {
 public:
  /// The newest number, 0 when never cut: new runs are written under it.
  std::uint64_t number() const { return cuts_.empty() ? 0 : cuts_.back().number; }
  /// Bytes of a run written under `number` that still count: up to this offset of the file; UINT64_MAX: all.
  std::uint64_t limit_for(std::uint64_t number) const;
  /// Adds a cut; one that is already covered changes nothing. Returns whether something changed.
  bool add(Cut cut);
  bool merge(const CutList& other);
  const std::vector<Cut>& cuts() const { return cuts_; }
  bool operator==(const CutList&) const = default;
  template <class V>
  void fields(V& v) {
    v("cuts", cuts_);
  }

 private:
  std::vector<Cut> cuts_;
};
/// Cut of a deleted file: to nothing, and no write is taken after it.
constexpr std::uint64_t kCutDeleted = UINT64_MAX;

using Digest = std::array<std::byte, 32>;

/// Blocks first, first + step, ... (count of them) of one file: what one server holds of a range.
struct BlockRun {
  BlockIndex first = 0;
  std::uint32_t step = 1;  // N of the layout; 1 for every block
  std::uint32_t count = 0;

  BlockIndex at(std::uint32_t index) const { return first + std::uint64_t{index} * step; }
  BlockIndex last() const { return at(count - 1); }
  bool contains(BlockIndex block) const {
    return count > 0 && block >= first && block <= last() && (block - first) % step == 0;
  }
  bool operator==(const BlockRun&) const = default;
  template <class V>
  void fields(V& v) {
    v("first", first);
    v("step", step);
    v("count", count);
  }
};

}  // namespace mendfs
