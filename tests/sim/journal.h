// What all users of one run share: the files with their oracles, and the first thing that went wrong.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "block/types.h"
#include "env/loop.h"
#include "tests/sim/file_model.h"
#include "tests/sim/shared_model.h"

namespace mendfs::sim {

struct Journal {
  struct File {
    std::string name;  // in the root directory
    InodeNumber inode = 0;
    FileModel model{kBlockSizeDefault};
    /// A rename to this name was begun and not answered.
    std::string new_name;
    /// Its latest change of name and its latest reports of a size, and when they were answered: what a power cut of the
    /// metaserver may take.
    std::string old_name;
    Time renamed{-1};
    Time made{-1};
    Time removed{-1};
    std::vector<std::pair<Time, FileModel::Mark>> told;
    /// After such a power cut, until somebody has looked: it may have one of these names instead; it may be gone, or
    /// have its name back.
    std::vector<std::string> other_names;
    bool in_doubt = false;
    bool may_be_gone = false;
    bool may_be_back = false;  // though removed
    bool size_in_doubt = false;
    /// Its removal has begun: readers may find it or not; its writer has it open still.
    bool unlinked = false;
    /// A write or cut was begun and not answered.
    bool changing = false;
    /// Nobody can open it any more: its blocks are to go.
    bool deleted = false;
    /// What was written last is on all copies, but its writer died before it told the size: to be found in the data.
    bool size_untold = false;
    /// Dataservers that lost un-synced bytes since all of it was durable last.
    std::set<Slot> reset;

    /// The metaserver's machine loses power: what was answered later than `synced_at` may be gone.
    void lose_meta_power(Time synced_at);
  };
  std::vector<std::unique_ptr<File>> files;

  /// The file that several mounts write at once.
  struct Shared {
    static constexpr std::uint64_t kSize = 4096;
    InodeNumber inode = 0;  // 0: not made yet
    std::optional<SharedModel> model;
    std::set<Slot> reset;  // dataservers that have ever lost un-synced bytes
    std::uint64_t writes = 0;
    std::uint64_t reads = 0;
  };
  Shared shared;
  std::string failure;  // empty: none
  /// Of new files: which servers hold a block together.
  std::uint32_t slot_count = 0;
  std::uint32_t copy_count = kCopyCountDefault;
  /// Power cuts of the metaserver.
  std::uint64_t meta_losses = 0;

  /// Whether the metaserver has ended all sessions of a client that died then, and found the sizes it left untold.
  std::function<bool(const std::string& client, Time died)> is_recovered;

  std::uint64_t writes = 0;
  std::uint64_t reads = 0;
  std::uint64_t syncs = 0;
  std::uint64_t cuts = 0;
  std::uint64_t unlinks = 0;
  std::uint64_t full_disks = 0;

  /// A dataserver loses its un-synced bytes, or everything.
  void reset(Slot slot);
  /// Some block has lost them on all its copies.
  void lose_unsynced();
  /// Whether some block has all its copies there. Only then is anything lost when they lose un-synced bytes, and only
  /// then may fsync say so.
  bool hold_a_block(const std::set<Slot>& slots) const;

  void fail(std::string what) {
    if (failure.empty()) failure = std::move(what);
  }
};

}  // namespace mendfs::sim
