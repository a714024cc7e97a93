// What all users of one run share: the files with their oracles, and the first thing that went wrong.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "block/types.h"
#include "env/loop.h"
#include "tests/sim/file_model.h"

namespace mendfs::sim {

struct Journal {
  struct File {
    std::string name;  // in the root directory
    InodeNumber inode = 0;
    FileModel model{kBlockSizeDefault};
    /// A rename to this name was begun and not answered.
    std::string new_name;
    /// Its removal has begun: readers may find it or not; its writer has it open still.
    bool unlinked = false;
    /// A write or cut was begun and not answered.
    bool changing = false;
    /// Nobody can open it any more: its blocks are to go.
    bool deleted = false;
    /// What was written last is on all copies, but its writer died before it told the size: to be found in the data.
    bool size_untold = false;
  };
  std::vector<std::unique_ptr<File>> files;
  std::string failure;  // empty: none
  /// Stores that lost power or everything. After two, an fsync may find that every holder of its bytes has changed, and
  /// has to say so.
  std::uint64_t resets = 0;

  /// Whether the metaserver has ended all sessions of a client that died then, and found the sizes it left untold.
  std::function<bool(const std::string& client, Time died)> is_recovered;

  std::uint64_t writes = 0;
  std::uint64_t reads = 0;
  std::uint64_t syncs = 0;
  std::uint64_t cuts = 0;
  std::uint64_t unlinks = 0;

  void fail(std::string what) {
    if (failure.empty()) failure = std::move(what);
  }
};

}  // namespace mendfs::sim
