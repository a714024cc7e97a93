#include "dataserver/store/segment_reader.h"

#include <algorithm>
#include <cstring>

#include "block/checksum.h"

namespace mendfs::store {
namespace {

/// One read brings the heads of some tens of small records.
constexpr std::uint64_t kReadSize = 64u << 10;
constexpr std::size_t kMagicOffset = 8;

}  // namespace

/// Exactly the bytes asked for, or fewer at the end of the file.
Task<Result<Buffer>> SegmentReader::bytes(std::uint64_t offset, std::uint64_t size) {
  const std::uint64_t end = std::min(size_, offset + size);
  if (offset >= end) co_return Buffer();
  const std::size_t wanted = static_cast<std::size_t>(end - offset);
  const bool cached = offset >= cached_offset_ && end <= cached_offset_ + cached_.size();
  if (!cached) {
    const std::uint64_t read_size = std::max<std::uint64_t>(wanted, std::min(kReadSize, size_ - offset));
    MENDFS_CO_TRY(cached_, co_await file_->read(offset, static_cast<std::size_t>(read_size)));
    cached_offset_ = offset;
  }
  const std::size_t skip = static_cast<std::size_t>(offset - cached_offset_);
  co_return cached_.slice(skip, std::min(wanted, cached_.size() - skip));
}

/// What is at `offset`, with its size if it is intact.
Task<Result<FoundRecord>> SegmentReader::judge(std::uint64_t offset) {
  FoundRecord found;
  found.position = position_of(number_, static_cast<std::uint32_t>(offset));
  const std::uint64_t left = size_ - offset;
  MENDFS_CO_TRY(const Buffer start, co_await bytes(offset, kPrefixSize));
  const std::optional<RecordPrefix> prefix = decode_prefix(start, found.position);
  if (!prefix || prefix->head_size() > left) {
    found.unfinished = prefix.has_value() || left < kPrefixSize;
    co_return found;
  }
  MENDFS_CO_TRY(Buffer head, co_await bytes(offset, prefix->head_size()));
  if (head.size() != prefix->head_size() || !head_is_intact(*prefix, head)) co_return found;
  found.unfinished = prefix->record_size() > left;
  if (found.unfinished) co_return found;
  found.intact = true;
  found.size = prefix->record_size();
  found.prefix = *prefix;
  found.head = std::move(head);
  co_return found;
}

Task<Result<std::optional<FoundRecord>>> SegmentReader::at(std::uint64_t offset) {
  std::optional<FoundRecord> nothing;
  if (offset >= size_) co_return nothing;
  MENDFS_CO_TRY(FoundRecord found, co_await judge(offset));
  if (!found.intact) {
    // A void may be laid over what is skipped, so it is at least as large as one.
    MENDFS_CO_TRY(const std::uint64_t next, co_await next_intact(offset + kPrefixSize));
    found.size = next - offset;
  }
  co_return std::optional<FoundRecord>(std::move(found));
}

/// Where the next intact record begins, or the end of the segment.
Task<Result<std::uint64_t>> SegmentReader::next_intact(std::uint64_t offset) {
  while (offset + kPrefixSize <= size_) {
    MENDFS_CO_TRY(const Buffer window, co_await bytes(offset, kReadSize));
    if (window.size() < kPrefixSize) break;
    const std::size_t last = window.size() - kPrefixSize;
    std::size_t place = 0;
    for (; place <= last; place += kRecordAlignment) {
      if (std::memcmp(window.data() + place + kMagicOffset, &kRecordMagic, sizeof kRecordMagic) != 0) continue;
      MENDFS_CO_TRY(const FoundRecord found, co_await judge(offset + place));
      if (found.intact) co_return offset + place;
    }
    offset += place;
  }
  co_return size_;
}

Task<Result<std::vector<Digest>>> SegmentReader::stored_digests(const FoundRecord& record) {
  const std::uint64_t offset = offset_of(record.position) + record.prefix.head_size();
  MENDFS_CO_TRY(const Buffer stored,
                co_await bytes(offset, std::uint64_t{record.prefix.digest_count} * sizeof(Digest)));
  std::vector<Digest> digests(stored.size() / sizeof(Digest));
  if (!digests.empty()) std::memcpy(digests.data(), stored.data(), digests.size() * sizeof(Digest));
  co_return digests;
}

Task<Result<std::vector<Digest>>> SegmentReader::digests(const FoundRecord& record) {
  MENDFS_CO_TRY(std::vector<Digest> digests, co_await stored_digests(record));
  if (!digests_are_intact(record.prefix, digests)) co_return Error{ErrorCode::Corruption, "digests are damaged"};
  co_return digests;
}

Task<Result<bool>> SegmentReader::data_is_intact(const FoundRecord& record, std::uint32_t block_size) {
  const Result<std::vector<Digest>> expected = co_await digests(record);
  if (!expected && expected.code() != ErrorCode::Corruption) co_return expected.error();
  if (!expected) co_return false;
  const std::uint64_t offset = offset_of(record.position) + record.prefix.data_offset();
  MENDFS_CO_TRY(const Buffer data, co_await bytes(offset, record.prefix.data_size));
  if (data.size() != record.prefix.data_size) co_return false;
  co_return digests_of(data, block_size) == *expected;
}

}  // namespace mendfs::store
