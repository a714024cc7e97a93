// Absolute paths of directories, remembered so that creating a file need not walk to the root. A cache only: what it
// says is always what a walk would say, and it may be emptied at any time.
#pragma once

#include <cstddef>
#include <string>
#include <unordered_map>

#include "base/error.h"
#include "block/types.h"
#include "metaserver/namespace/state.h"

namespace mendfs::metaserver {

class DirectoryPaths {
 public:
  /// The path of a directory that has a name, without a slash at its end: "" for the root.
  Result<std::string> path_of(State& state, InodeNumber directory);
  /// A directory got another name: what lies below it has other paths now.
  void clear();

 private:
  std::unordered_map<InodeNumber, std::string> paths_;
  std::size_t bytes_ = 0;
};

}  // namespace mendfs::metaserver
