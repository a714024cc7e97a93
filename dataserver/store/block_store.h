// The block store of one dataserver: append-only segments of self-describing records are the truth, an index covers
// them and is rebuilt from them when lost (docs/architecture.md, "A dataserver's store").
//
// What is quick is a plain call (it touches the kernel's page cache and the index); what may wait for the device is a
// Task. append() and find() are plain, so "read, merge, version, append" has no gap after its read.
// Written records survive a kill of the process when append() returns, and a power cut once durable() has passed the
// position it returned.
//
// After a failed write-out, or damage found in the index, the store refuses everything (Io, with the reason): the
// program ends, and its next start recovers, as after a reboot of the machine. One loop thread; one store per
// directory.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/buffer.h"
#include "base/error.h"
#include "block/run.h"
#include "block/types.h"
#include "dataserver/store/record_format.h"
#include "dataserver/store/superblock.h"
#include "env/env.h"
#include "env/task.h"
#include "protocol/data.h"
#include "protocol/ring_data.h"

namespace mendfs::store {

struct StoreOptions {
  std::string name = "dataserver";            // for sentences: "dataserver 3 (./datastore3)"
  std::uint64_t segment_size = 64u << 20;     // a segment is closed when it reaches it; less on a small disk
  std::uint64_t reserve_size = 64u << 20;     // free space that only SpaceUse::Reserve may use
  std::uint64_t index_flush_size = 8u << 20;  // of index changes in memory; a start after a kill redoes them
  std::uint64_t replay_size_max = 1u << 30;   // of segments that a restart reads again
  std::size_t cached_runs_max = 200'000;      // index entries in memory, about 150 bytes each
  std::uint64_t compaction_bytes_per_second = 64u << 20;
  double compaction_live_max = 0.5;  // segments with a smaller live share are emptied, fuller ones on a full disk
};

using BlockState = protocol::BlockState;

/// Who may use the last of the disk.
enum class SpaceUse {
  Normal,   // writes of clients
  Reserve,  // forwards, cuts, holes, repairs, rebuilds
};

/// A client's write found in the part of the log that was read again at the start.
struct SeenWrite {
  WriteId writer;
  Slot range = 0;
  Version version;
};

/// What opening found.
struct Recovery {
  bool new_store = false;  // the directory was empty: a new generation
  bool rebooted = false;   // un-synced bytes may have been lost: behind its neighbours, not incomplete
  bool index_rebuilt = false;
  bool records_lost = false;  // durable records are damaged or gone: every range was marked incomplete, and saved
  std::uint64_t discarded_bytes = 0;  // un-synced ones of torn writes
  std::uint64_t replayed_runs = 0;
  std::string blob;               // of the last index flush, see set_flush_blob
  std::vector<SeenWrite> writes;  // since that blob, oldest first; the last million at most
};

/// Blocks in one state, as the index knows them, cuts applied.
struct Piece {
  BlockRun blocks;
  BlockState state = BlockState::Absent;  // Absent, Data, Hole or Lost
  std::uint64_t cut = 0;
  Version version;
};

enum class ReadWhat {
  Data,             // the bytes and their digests, unchecked: the receiver verifies
  VerifiedData,     // the bytes, compared with their digests
  VerifiedDigests,  // the same comparison, but only the digests are returned
};

struct ReadWish {
  BlockRun blocks;
  ReadWhat what = ReadWhat::Data;
};

/// Blocks in one state, as a reader sees them.
struct ReadPiece {
  BlockRun blocks;
  BlockState state = BlockState::Absent;  // Absent, Data, Hole, Lost or Bad
  std::uint64_t cut = 0;
  Version version;              // Bad: what the index names
  std::uint32_t last_size = 0;  // Data: stored and not cut bytes of the last block; zeros beyond
  std::vector<Digest> digests;  // Data: of B bytes each, cut bytes as zeros
  std::vector<Buffer> data;     // Data, unless only digests were asked for: B bytes for each block, in order
};

/// Blocks that fetch() has no run for.
struct FetchMiss {
  BlockRun blocks;
  BlockState state = BlockState::Absent;  // Absent or Bad
  std::uint64_t cut = 0;
  Version version;  // Bad: what the index names
};
struct Fetched {
  std::vector<Run> runs;  // Data, Hole, Lost; as stored, verified, split at block borders, not cut
  std::vector<FetchMiss> misses;
};

struct Listed {
  std::vector<RunSummary> runs;
  std::vector<protocol::CutRecord> cuts;
  std::uint64_t cursor = 0;
  bool end = false;      // everything below position() of this moment has been listed
  bool damaged = false;  // a segment on the way could not be opened: runs may be missing from this listing
};

struct FileCuts {
  CutList cuts;
  bool deleted = false;
};

struct FileCount {
  InodeNumber inode = 0;
  std::uint64_t block_count = 0;  // of data, here, all copies; bytes already cut off may still count
};

enum class DamageMode { Flip, Zero, Truncate, Delete, Stale };
struct Damage {
  std::uint32_t byte = 0;  // offset in the block of the first byte that changed
  std::uint8_t old_value = 0;
  std::uint8_t new_value = 0;
  std::string place;  // a sentence: file and offset, or what was done
};

struct StoreSpace {
  std::uint64_t total_bytes = 0;
  std::uint64_t free_bytes = 0;    // of the disk, without the reserve
  std::uint64_t live_bytes = 0;    // of records that count
  std::uint64_t stored_bytes = 0;  // of all segments
  std::uint64_t block_count = 0;   // of data that counts, roughly
};

class BlockStore {
 public:
  /// Opens the store in env.disk, making it if the directory is empty, and recovers. Refuses (Corruption, with what to
  /// do) when both superblocks are damaged or segments lie there without one.
  static Task<Result<std::unique_ptr<BlockStore>>> open(Env& env, StoreOptions options);
  ~BlockStore();

  const Recovery& recovery() const;
  /// Requires: called once, when what it says is no longer needed.
  void forget_recovery();

  /// To be changed freely, then saved: nobody may be told of a change before save_superblock() has ended.
  Superblock& superblock();
  Task<Result<void>> save_superblock();
  /// Shorthands for handshakes and answers.
  const Generation& generation() const;
  /// Changes whenever un-synced bytes may have been lost.
  const Uuid& boot() const;

  // Writing.

  /// Stores the runs (checked: block/run.h, sizes; digests are the caller's promise) in one write. Each becomes current
  /// where nothing newer (cut, version) is; an equal one replaces what is there (that is how a repair heals), except
  /// that Lost never replaces Data. Returns the position to be durable past. NoSpace names the server; Malformed; Io.
  Result<Position> append(std::span<const Run> runs, SpaceUse use);
  /// Records cuts of a file, or its deletion; nothing is written when all is known already. The space comes back later.
  Result<Position> add_cuts(InodeNumber inode, const CutList& cuts, bool deleted);

  /// End of what was written.
  Position position() const;
  /// Everything before it survives a power cut.
  Position durable() const;
  /// Ends once everything written before the call is durable; calls share write-outs.
  Task<Result<Position>> sync();

  /// The primary's word that all versions of its range up to `version` have been acknowledged or never will be, and are
  /// stored here. Durable, as watermark(), after the next sync().
  void settled(Slot range, Version version);
  Version watermark(Slot range) const;
  /// The greatest version of the range ever seen here.
  Version newest(Slot range) const;

  // Reading. `blocks` always has the layout's slot count as its step.

  Result<FileCuts> cuts(InodeNumber inode);
  /// Covers every block asked for, in order.
  Result<std::vector<Piece>> find(InodeNumber inode, BlockRun blocks);
  /// Covers every block asked for, in order. Damage is a state, not an error.
  Task<Result<std::vector<ReadPiece>>> read(InodeNumber inode, BlockRun blocks, ReadWhat what);
  /// The same for several, wish by wish: the device fetches what they need side by side.
  Task<Result<std::vector<std::vector<ReadPiece>>>> read_all(InodeNumber inode, std::vector<ReadWish> wishes);
  /// The stored runs themselves, for another holder.
  Task<Result<Fetched>> fetch(InodeNumber inode, BlockRun blocks);
  /// End of the last byte of data that counts here; 0 when there is none.
  Result<std::uint64_t> extent(InodeNumber inode, const Layout& layout);

  /// Current runs of a range with a version above `above`, and the cuts recorded on the way (all there are when `above`
  /// is zero), from `cursor` (0: the start) on, in the order of the segments. May return few or none before the end.
  Task<Result<Listed>> list(Slot range, Version above, std::uint64_t cursor, std::uint32_t run_count_max);
  /// Blocks of data of the range, roughly: for progress.
  std::uint64_t block_count(Slot range) const;
  /// Files with an inode above `after`, at most `count_max`.
  Result<std::vector<FileCount>> list_files(InodeNumber after, std::size_t count_max);

  Result<StoreSpace> space() const;

  // Housekeeping, which the store also does by itself when due.

  /// A small text saved with each index flush and returned by the recovery, such as the window of writes seen.
  void set_flush_blob(std::function<std::string()> make);
  /// Makes the next start's replay begin here.
  Task<Result<void>> flush_index();
  /// Empties and removes what mostly dead segments there are now.
  Task<Result<void>> compact();

  /// Really damages the stored bytes of a block, for `corrupt` and tests. NotFound when it has none here. The same
  /// `seed` chooses the same byte and value.
  Task<Result<Damage>> damage(InodeNumber inode, BlockRun block, DamageMode mode, std::uint64_t seed);

 private:
  class Impl;
  explicit BlockStore(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace mendfs::store
