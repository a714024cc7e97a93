#include "dataserver/store/record_batch.h"

#include <array>

#include "protocol/fields.h"

namespace mendfs::store {
namespace {

constexpr std::array<std::byte, kRecordAlignment> kPadding{};

std::uint64_t padding_after(std::uint64_t size) {
  return (kRecordAlignment - size % kRecordAlignment) % kRecordAlignment;
}

}  // namespace

void RecordBatch::add(RecordType type, std::string meta) {
  Entry entry;
  entry.type = type;
  entry.meta = std::move(meta);
  add(std::move(entry));
}

void RecordBatch::add(const Run& run) {
  Entry entry;
  entry.type = RecordType::Run;
  entry.meta = pack(run.header);
  entry.digests = run.digests;
  entry.data = run.data;
  add(std::move(entry));
}

void RecordBatch::add(Entry entry) {
  const std::uint64_t size = kPrefixSize + entry.meta.size() + entry.digests.size_bytes() + entry.data.size();
  entry.offset = size_;
  size_ += size + padding_after(size);
  entries_.push_back(std::move(entry));
}

std::vector<ByteView> RecordBatch::encode(Position base) {
  base_ = base;
  std::vector<ByteView> pieces;
  pieces.reserve(entries_.size() * 4);
  for (const Entry& entry : entries_) {
    heads_.push_back(encode_head(entry.type, base + entry.offset, entry.meta, entry.digests,
                                 static_cast<std::uint32_t>(entry.data.size())));
    pieces.push_back(bytes_of(heads_.back()));
    if (!entry.digests.empty()) pieces.push_back(std::as_bytes(entry.digests));
    if (!entry.data.empty()) pieces.push_back(entry.data);
    const std::uint64_t size = heads_.back().size() + entry.digests.size_bytes() + entry.data.size();
    if (const std::uint64_t padding = padding_after(size); padding > 0)
      pieces.push_back(ByteView(kPadding).first(static_cast<std::size_t>(padding)));
  }
  return pieces;
}

}  // namespace mendfs::store
