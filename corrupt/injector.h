// Finds a block of a file on a dataserver and damages it, through the methods that people can call too. Loop thread
// only.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "corrupt/choice.h"
#include "corrupt/report.h"
#include "env/env.h"
#include "env/task.h"
#include "rpc/value.h"

namespace mendfs::corrupt {

class Injector {
 public:
  Injector(Network& network, Loop& loop, Address dataserver)
      : network_(network), loop_(loop), dataserver_(std::move(dataserver)) {}

  /// Asks the dataserver who it is and where its metaserver is. First.
  Task<Result<void>> introduce();
  /// Asks the metaserver for the file. NotFound, or InvalidArgument when it is no file.
  Task<Result<LocatedFile>> locate(std::string path);
  /// Damages a block that fits the wish; `seed` decides which one, and which byte. `mode` as in block.corrupt.
  Task<Result<Damaged>> damage(LocatedFile file, Wish wish, std::string mode, std::uint64_t seed);

 private:
  Task<Result<rpc::Value>> call(Address server, std::string method, std::vector<rpc::Value> parameters);
  Task<Result<std::vector<StoredBlock>>> list(InodeNumber inode, Window window);

  Network& network_;
  Loop& loop_;
  Address dataserver_;
  Slot slot_ = 0;
  Address metaserver_;
};

}  // namespace mendfs::corrupt
