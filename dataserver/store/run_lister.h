// Listings: of a range for rebuilds and handshakes, from the segments in their order; of files, from the index.
//
// Runs whose record head is damaged cannot be listed from their segment; the index knows that they exist, so they are
// listed as lost: whoever asks learns that there is something, and nobody takes them for blocks never written.
#pragma once

#include <map>
#include <vector>

#include "dataserver/store/block_store.h"
#include "dataserver/store/segment_reader.h"
#include "dataserver/store/store_parts.h"

namespace mendfs::store {

/// What still counts of a run record: the current runs that point to it, cuts applied.
Result<std::vector<StoredRun>> live_parts(StoreParts& parts, const RunHeader& header, Position place);

class RunLister {
 public:
  explicit RunLister(StoreParts& parts) : parts_(parts) {}

  Task<Result<Listed>> list(Slot range, Version above, std::uint64_t cursor, std::uint32_t run_count_max);
  Result<std::vector<FileCount>> list_files(InodeNumber after, std::size_t count_max);

 private:
  struct Request {
    Slot range = 0;
    Version above;
    std::uint32_t run_count_max = 0;
    Listed listed;
  };
  bool worth_reading(const SegmentSummary& summary, const Request& request) const;
  Task<Result<void>> list_record(Request* request, SegmentReader* reader, FoundRecord record);
  Result<void> list_cuts(Request& request, const FoundRecord& record);
  Task<Result<void>> list_unreadable(Request* request, FoundRecord damage);

  struct IndexedRun {
    ClassKey key;
    StoredRun run;
  };
  Task<Result<std::vector<IndexedRun>>> find_indexed(Position begin, Position end);

  StoreParts& parts_;
  // What the index had, when first asked, of each damaged place: later it can only have less.
  std::map<Position, std::vector<IndexedRun>> unreadable_;
};

}  // namespace mendfs::store
