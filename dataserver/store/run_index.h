// Which record holds which blocks: the current runs of every file, in the key-value store, with those of the files in
// use in memory. A sequential write finds that it is the last of its class without asking the store, and an overwrite
// near the last one too.
//
// Of each class in use it keeps a window [begin, end) of units of which every run is in memory, and runs elsewhere that
// were looked up lately. Windows are bounded, and so is their number: the least recently used go. Of a file younger
// than all it has seen it knows without asking that nothing is there. Changes go to the store some hundred at a time:
// whoever reads the store beside it, or makes a checkpoint, calls write_pending() first. Loop thread only; references
// stay valid until the next call.
#pragma once

#include <cstddef>
#include <list>
#include <map>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "base/error.h"
#include "dataserver/store/stored_run.h"
#include "env/kv.h"

namespace mendfs::store {

class RunIndex {
 public:
  RunIndex(Kv& kv, std::size_t cached_runs_max) : kv_(kv), cached_runs_max_(cached_runs_max) {}

  /// The current runs with a unit in [begin, end), whole, in order.
  Result<std::vector<StoredRun>> overlapping(const ClassKey& key, Unit begin, Unit end);
  /// Lays `run` over what is there; the index has then seen the log up to `log_end`.
  Result<RunChange> insert(const ClassKey& key, const StoredRun& run, Position log_end);
  /// All changes so far are in the store afterwards.
  Result<void> write_pending();
  /// Puts `parts` in the place of `old`. Requires: `old` is current, the parts lie within it.
  Result<void> replace(const ClassKey& key, const StoredRun& old, std::span<const StoredRun> parts, Position log_end);
  /// The last run of the class that begins before `end`, if any.
  Result<std::optional<StoredRun>> last_before(const ClassKey& key, Unit end);

  std::size_t cached_runs() const { return cached_runs_; }

 private:
  struct KeyHash {
    std::size_t operator()(const ClassKey& key) const {
      return (key.inode ^ std::uint64_t{key.residue} << 48) * 0x9e3779b97f4a7c15ULL >> 7;
    }
  };
  using Runs = std::map<Unit, StoredRun>;
  struct Window {
    Unit begin = 0;
    Unit end = 0;
    Runs runs;                   // every one with a unit in [begin, end), and others
    std::size_t read_ahead = 0;  // runs it was last loaded with beyond those asked for
    std::list<ClassKey>::iterator used;
  };

  const StoredRun* known_run(const ClassKey& key, Unit begin, Unit end);
  std::size_t window_runs_max() const;
  Result<bool> is_young(const ClassKey& key);
  Result<Window*> window_over(const ClassKey& key, Unit begin, Unit end);
  Result<Window> load(const ClassKey& key, Unit begin, Unit end);
  Result<void> load_forward(const ClassKey& key, Unit begin, Unit end, Window& window);
  void drop_before(Window& window, Unit unit);
  Result<void> note(const ClassKey& key, const RunChange& change, Position log_end);
  void shrink(Window& window, Unit near);
  void evict();

  Kv& kv_;
  std::size_t cached_runs_max_;
  std::size_t cached_runs_ = 0;
  std::unordered_map<ClassKey, Window, KeyHash> windows_;
  std::list<ClassKey> used_;                                     // most recently used first
  std::optional<InodeNumber> newest_at_start_;                   // of all runs in the store
  std::unordered_map<std::uint32_t, InodeNumber> newest_since_;  // by residue
  KvBatch pending_;
  Position pending_end_ = 0;
};

}  // namespace mendfs::store
