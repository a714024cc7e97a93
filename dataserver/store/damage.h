// Damages the stored bytes of one block on purpose, for `corrupt` and tests.
#pragma once

#include "base/error.h"
#include "dataserver/store/block_store.h"
#include "dataserver/store/index_flusher.h"
#include "dataserver/store/run_reader.h"
#include "dataserver/store/store_parts.h"
#include "env/task.h"

namespace mendfs::store {

class Damager {
 public:
  Damager(StoreParts& parts, RunReader& reader, IndexFlusher& flusher)
      : parts_(parts), reader_(reader), flusher_(flusher) {}

  Task<Result<Damage>> damage(InodeNumber inode, BlockRun block, DamageMode mode, std::uint64_t seed);

 private:
  Result<Damage> overwrite(const StoredRun& run, DamageMode mode, std::uint64_t seed);
  Task<Result<Damage>> forget(ClassKey key, StoredRun run);
  Task<Result<Damage>> make_stale(ClassKey key, StoredRun run);
  /// Puts `instead`, or nothing, in the place of `run` in the index, for good.
  Result<void> substitute(const ClassKey& key, const StoredRun& run, const StoredRun* instead);

  StoreParts& parts_;
  RunReader& reader_;
  IndexFlusher& flusher_;
};

}  // namespace mendfs::store
