#include "dataserver/store/segment_tail.h"

#include <algorithm>
#include <utility>

namespace mendfs::store {
namespace {

constexpr std::uint64_t kReadSize = 64u << 10;

}  // namespace

Task<Result<std::uint64_t>> SegmentTail::written_end() {
  for (std::uint64_t end = size_; end > 0;) {
    const std::uint64_t begin = end - std::min(end, kReadSize);
    MENDFS_CO_TRY(const Buffer bytes, co_await file_->read(begin, static_cast<std::size_t>(end - begin)));
    std::size_t written = bytes.size();
    while (written > 0 && bytes.data()[written - 1] == std::byte{0}) --written;
    last_byte_end_ = begin + written;
    if (written > 0) break;
    end = begin;
  }
  co_return std::min(size_, (last_byte_end_ + kRecordAlignment - 1) / kRecordAlignment * kRecordAlignment);
}

Task<Result<FoundRecord>> SegmentTail::last_record(std::uint64_t offset) {
  SegmentReader reader(file_, number_, size_);
  MENDFS_CO_TRY(std::optional<FoundRecord> record, co_await reader.at(offset));
  FoundRecord torn;
  torn.position = position_of(number_, static_cast<std::uint32_t>(offset));
  if (!record || !record->intact) co_return torn;
  // A write is done from front to back.
  const bool is_whole = offset + record->prefix.data_offset() + record->prefix.data_size <= last_byte_end_;
  if (is_whole || record->prefix.digest_count == 0) co_return std::move(*record);
  const Result<RunHeader> header = decode_run(record->prefix, record->head);
  if (!header) co_return torn;
  MENDFS_CO_TRY(const bool intact, co_await reader.data_is_intact(*record, header->layout.block_size));
  if (!intact) co_return torn;
  co_return std::move(*record);
}

}  // namespace mendfs::store
