#include "metaserver/namespace/directory_paths.h"

#include <algorithm>
#include <vector>

#include "metaserver/namespace/inodes.h"

namespace mendfs::metaserver {

namespace {

/// Paths in memory, of which none is longer than a path that programs can use.
constexpr std::size_t kBytesMax = 4u << 20;
/// Rough cost of an entry beside its path.
constexpr std::size_t kEntryCost = 96;
/// More levels than can be made in a lifetime: a circle in a damaged store ends here.
constexpr std::size_t kDepthMax = 1u << 24;

}  // namespace

Result<std::string> DirectoryPaths::path_of(State& state, InodeNumber directory) {
  std::vector<std::string> names;  // from the directory upwards
  std::string path;
  for (InodeNumber at = directory; at != kRootInode;) {
    if (auto known = paths_.find(at); known != paths_.end()) {
      path = known->second;
      break;
    }
    MENDFS_TRY(InodeRecord record, load_directory(state, at));
    if (names.size() > kDepthMax)
      return Error{ErrorCode::Corruption, "the metadata store holds a circle of directories"};
    names.push_back(std::move(record.name));
    at = record.parent;
  }
  if (names.empty()) return path;
  std::reverse(names.begin(), names.end());
  for (const std::string& name : names) path.append(1, '/').append(name);

  if (path.size() <= protocol::kPathSizeMax) {
    bytes_ += path.size() + kEntryCost;
    if (bytes_ > kBytesMax) {
      clear();
      bytes_ = path.size() + kEntryCost;
    }
    paths_.insert_or_assign(directory, path);
  }
  return path;
}

void DirectoryPaths::clear() {
  paths_.clear();
  bytes_ = 0;
}

}  // namespace mendfs::metaserver
