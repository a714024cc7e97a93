// The cuts and deletions of files: in the index, those of files in use in memory, so that a look is one probe.
#pragma once

#include <cstddef>
#include <list>
#include <optional>
#include <unordered_map>

#include "base/error.h"
#include "block/types.h"
#include "dataserver/store/record_format.h"
#include "env/kv.h"

namespace mendfs::store {

struct CutEntry {
  CutList cuts;
  bool deleted = false;
  Position place = 0;  // of the newest record that says exactly this; 0: there is none

  bool known() const { return deleted || !cuts.cuts().empty(); }
  /// Where the bytes of a run written under `cut` end to count.
  std::uint64_t limit_for(std::uint64_t cut) const { return deleted ? 0 : cuts.limit_for(cut); }
  template <class V>
  void fields(V& v) {
    v("cuts", cuts);
    v("deleted", deleted);
    v("place", place);
  }
};

class CutTable {
 public:
  CutTable(Kv& kv, std::size_t cached_max) : kv_(kv), cached_max_(cached_max) {}

  /// Valid until the next call.
  Result<const CutEntry*> get(InodeNumber inode);
  /// Replaces a file's entry; a file that lost bytes is also noted for trimming.
  Result<void> put(InodeNumber inode, CutEntry entry, Position log_end);
  /// A file whose dead runs may still be in the index, with an inode from `from` on; 0: none.
  Result<InodeNumber> next_to_trim(InodeNumber from);
  Result<void> trimmed(InodeNumber inode);

 private:
  struct Cached {
    CutEntry entry;
    std::list<InodeNumber>::iterator used;
  };
  Result<bool> is_young(InodeNumber inode);
  CutEntry& remember(InodeNumber inode, CutEntry entry);

  Kv& kv_;
  std::size_t cached_max_;
  std::optional<InodeNumber> newest_;  // of all files with an entry
  InodeNumber trim_from_ = 0;          // no file before it is noted for trimming
  std::unordered_map<InodeNumber, Cached> cached_;
  std::list<InodeNumber> used_;  // most recently used first
};

}  // namespace mendfs::store
