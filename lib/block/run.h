// A run: one server's share of a range of one file as it is stored and forwarded. Self-describing, so that files can be
// salvaged from the segments alone. The bytes of a record are in docs/disk-format.md.
#pragma once

#include <cstdint>
#include <vector>

#include "base/buffer.h"
#include "base/error.h"
#include "block/types.h"

namespace mendfs {

enum class RunKind : std::uint8_t {
  Data = 0,
  Hole = 1,  // zeros, with a version: ordered and replicated like a write
  Lost = 2,  // known to have existed, no good copy left: reads give EIO, a write over the whole block heals it
  kMax = Lost,
};

struct RunHeader {
  RunKind kind = RunKind::Data;
  InodeNumber inode = 0;
  Layout layout;
  BlockRun blocks;         // step == layout.slot_count
  std::uint32_t copy = 0;  // which copy of these blocks this is
  std::uint64_t cut = 0;   // the file's cut number it was written under
  Version version;         // one for all its blocks
  WriteId writer;
  std::uint32_t last_size = 0;  // bytes stored of the last block, 1 .. B; zeros beyond. 0 unless kind is Data

  /// Bytes of data that follow the header.
  std::uint64_t data_size() const {
    if (kind != RunKind::Data || blocks.count == 0) return 0;
    return std::uint64_t{blocks.count - 1} * layout.block_size + last_size;
  }
  template <class V>
  void fields(V& v) {
    v("kind", kind);
    v("inode", inode);
    v("layout", layout);
    v("blocks", blocks);
    v("copy", copy);
    v("cut", cut);
    v("version", version);
    v("writer", writer);
    v("last_size", last_size);
  }
};

/// A run without its data: what a listing tells.
struct RunSummary {
  RunHeader header;
  std::vector<Digest> digests;  // of each block, filled up with zeros to B; empty unless kind is Data
  template <class V>
  void fields(V& v) {
    v("header", header);
    v("digests", digests);
  }
};

/// A run whole.
struct Run {
  RunHeader header;
  std::vector<Digest> digests;
  Buffer data;  // header.data_size() bytes
};

/// Headers come from outside: Malformed names what is wrong (layout, counts, sizes, step, overflow, kFileSizeMax).
Result<void> check_run(const RunHeader& header, std::size_t digest_count);

/// Of two stored runs for one block, whether `a` is the newer: by cut number, then by version.
inline bool is_newer(const RunHeader& a, const RunHeader& b) {
  return a.cut != b.cut ? a.cut > b.cut : a.version > b.version;
}

}  // namespace mendfs
