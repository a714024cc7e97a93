// Where a segment really ends. Its file may be longer: the log extends it with zeros before it writes there
// (segment_log.h), and a kill may leave a part of the last write in them.
#pragma once

#include <cstdint>
#include <memory>

#include "base/error.h"
#include "dataserver/store/record_format.h"
#include "dataserver/store/segment_reader.h"
#include "env/disk.h"
#include "env/task.h"

namespace mendfs::store {

class SegmentTail {
 public:
  /// `size`: of the file.
  SegmentTail(std::shared_ptr<File> file, SegmentNumber number, std::uint64_t size)
      : file_(std::move(file)), number_(number), size_(size) {}

  /// Behind the last byte that is not zero, aligned as records are. A walk over the records sees the segment as if the
  /// file ended there, until it comes to one that this cuts short.
  Task<Result<std::uint64_t>> written_end();
  /// The record at `offset`, of which only zeros lie behind written_end(), which was asked for before: intact if all of
  /// it was written, with zeros at its end. Otherwise it is what an append leaves that a kill interrupted, or damage.
  Task<Result<FoundRecord>> last_record(std::uint64_t offset);

 private:
  std::shared_ptr<File> file_;
  SegmentNumber number_;
  std::uint64_t size_;
  std::uint64_t last_byte_end_ = 0;
};

}  // namespace mendfs::store
