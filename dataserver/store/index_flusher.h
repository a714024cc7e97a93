// Puts the index on disk, so that a restart reads only the segments' tail again, and removes the segments that nothing
// needs any more once it is there.
//
// Order: segments first, then the index that covers them, then away with the emptied segments: whenever the power
// goes, the index names nothing that is not there.
#pragma once

#include <set>

#include "base/error.h"
#include "dataserver/store/store_parts.h"
#include "env/future.h"
#include "env/task.h"

namespace mendfs::store {

class IndexFlusher {
 public:
  explicit IndexFlusher(StoreParts& parts) : parts_(parts), flushed_(parts.env.loop) {}

  /// Everything written before the call is in the index on disk when it ends.
  Task<Result<void>> flush();
  bool due() const;
  /// Nothing of it counts any more, or it has been written anew: the next flush removes it.
  void retire(SegmentNumber number) { retired_.insert(number); }
  bool is_retired(SegmentNumber number) const { return retired_.contains(number); }

 private:
  Task<void> run_flush();
  Task<Result<void>> flush_once();
  Result<void> apply_checkpoint(const std::set<SegmentNumber>& retired);

  StoreParts& parts_;
  std::set<SegmentNumber> retired_;
  bool running_ = false;
  std::uint64_t flush_count_ = 0;
  Result<void> last_;
  Signal flushed_;
  Scope scope_;
};

}  // namespace mendfs::store
