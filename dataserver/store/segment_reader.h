// Walks over the records of one segment, and over damage between them: after bytes that are no record it searches for
// the next intact one, so that one flipped bit costs one record, never the rest of the segment.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/buffer.h"
#include "base/error.h"
#include "dataserver/store/record_format.h"
#include "env/disk.h"
#include "env/task.h"

namespace mendfs::store {

/// What lies between two places of a segment: an intact head, or bytes that are none.
struct FoundRecord {
  Position position = 0;
  std::uint64_t size = 0;
  bool intact = false;      // the head; digests and data are checked by whoever needs them
  bool unfinished = false;  // not intact, but what an append leaves that a kill interrupted: the file ends within it
  RecordPrefix prefix;      // only when intact, as the next
  Buffer head;
};

class SegmentReader {
 public:
  SegmentReader(std::shared_ptr<File> file, SegmentNumber number, std::uint64_t size)
      : file_(std::move(file)), number_(number), size_(size) {}

  /// The record at `offset`, or the bytes up to the next one; nothing at the end of the segment.
  Task<Result<std::optional<FoundRecord>>> at(std::uint64_t offset);
  /// The digests of an intact record as they are; fewer when the file ends before.
  Task<Result<std::vector<Digest>>> stored_digests(const FoundRecord& record);
  /// The same, checked; Corruption when their checksum does not fit.
  Task<Result<std::vector<Digest>>> digests(const FoundRecord& record);
  /// Whether the data of an intact run is what its digests say.
  Task<Result<bool>> data_is_intact(const FoundRecord& record, std::uint32_t block_size);

 private:
  Task<Result<Buffer>> bytes(std::uint64_t offset, std::uint64_t size);
  Task<Result<FoundRecord>> judge(std::uint64_t offset);
  Task<Result<std::uint64_t>> next_intact(std::uint64_t offset);

  std::shared_ptr<File> file_;
  SegmentNumber number_;
  std::uint64_t size_;
  std::uint64_t cached_offset_ = 0;
  Buffer cached_;
};

}  // namespace mendfs::store
