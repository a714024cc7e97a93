// Reading: which records hold the blocks asked for, their bytes, and whether these are what the index and the digests
// say. A record found under another identity, version or cut than the index names is a damaged copy, whatever its hash
// says.
#pragma once

#include <memory>
#include <vector>

#include "dataserver/store/block_store.h"
#include "dataserver/store/store_parts.h"

namespace mendfs::store {

class RunReader {
 public:
  explicit RunReader(StoreParts& parts) : parts_(parts) {}

  Result<std::vector<Piece>> find(InodeNumber inode, const BlockRun& blocks);
  Task<Result<std::vector<ReadPiece>>> read(InodeNumber inode, BlockRun blocks, ReadWhat what);
  Task<Result<std::vector<std::vector<ReadPiece>>>> read_all(InodeNumber inode, std::vector<ReadWish> wishes);
  Task<Result<Fetched>> fetch(InodeNumber inode, BlockRun blocks);
  Result<std::uint64_t> extent(InodeNumber inode, const Layout& layout);

  /// Part of a record: its header, and the digests and data of some of its blocks.
  struct Loaded {
    bool intact = false;  // the head is there and is the one the index names
    RunHeader header;     // of the whole record
    std::vector<Digest> digests;
    Buffer data;
  };
  /// What to load. The file is held from the moment the index was asked: compaction may move the run meanwhile.
  struct Source {
    ClassKey key;
    StoredRun run;
    std::shared_ptr<File> file;  // nothing: damaged
  };
  Task<Result<Loaded>> load(Source source);
  /// The same for several, in order, waiting for the device once.
  Task<Result<std::vector<Loaded>>> load_all(std::vector<Source> sources);
  /// The segment it lies in, nothing when it cannot be opened: a segment that is gone is a damaged one.
  std::shared_ptr<File> file_of(const StoredRun& run);

  /// The current runs, clipped to `blocks` and to what no cut hides. Malformed: no possible blocks.
  Result<std::vector<StoredRun>> current(InodeNumber inode, const BlockRun& blocks);

 private:
  StoreParts& parts_;
};

/// Whether each block of some loaded data is what its digest says.
std::vector<bool> verified_blocks(const RunReader::Loaded& loaded, std::uint32_t block_size);

/// The header of a part of a stored run: same version and writer, fewer blocks.
RunHeader part_header(const RunHeader& whole, const StoredRun& part);

}  // namespace mendfs::store
