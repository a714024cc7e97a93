#include "dataserver/store/record_format.h"

#include <bit>
#include <cstring>

#include "block/checksum.h"
#include "protocol/fields.h"

namespace mendfs::store {
namespace {

static_assert(std::endian::native == std::endian::little);

constexpr std::size_t kChecksummedFrom = 8;

template <class T>
void store_at(std::string& bytes, std::size_t offset, T value) {
  std::memcpy(bytes.data() + offset, &value, sizeof value);
}

template <class T>
T load_at(ByteView bytes, std::size_t offset) {
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

std::uint64_t digests_checksum(std::span<const Digest> digests) { return checksum64(std::as_bytes(digests)); }

}  // namespace

std::string encode_head(RecordType type, Position position, std::string_view meta, std::span<const Digest> digests,
                        std::uint32_t data_size) {
  std::string head(kPrefixSize, '\0');
  store_at(head, 8, kRecordMagic);
  store_at(head, 12, type);
  store_at(head, 13, kRecordFormat);
  store_at(head, 16, position);
  store_at(head, 24, static_cast<std::uint32_t>(meta.size()));
  store_at(head, 28, static_cast<std::uint32_t>(digests.size()));
  store_at(head, 32, data_size);
  store_at(head, 40, digests_checksum(digests));
  head += meta;
  store_at(head, 0, checksum64(bytes_of(head).subspan(kChecksummedFrom)));
  return head;
}

std::string encode_small(RecordType type, Position position, std::string_view meta) {
  std::string record = encode_head(type, position, meta, {}, 0);
  record.resize((record.size() + kRecordAlignment - 1) / kRecordAlignment * kRecordAlignment);
  return record;
}

std::optional<RecordPrefix> decode_prefix(ByteView bytes, Position position) {
  if (bytes.size() < kPrefixSize || load_at<std::uint32_t>(bytes, 8) != kRecordMagic) return std::nullopt;
  const auto type = load_at<std::uint8_t>(bytes, 12);
  const auto format = load_at<std::uint8_t>(bytes, 13);
  if (type == 0 || type > static_cast<std::uint8_t>(RecordType::kMax) || format != kRecordFormat) return std::nullopt;
  RecordPrefix prefix;
  prefix.checksum = load_at<std::uint64_t>(bytes, 0);
  prefix.type = static_cast<RecordType>(type);
  prefix.position = load_at<std::uint64_t>(bytes, 16);
  prefix.meta_size = load_at<std::uint32_t>(bytes, 24);
  prefix.digest_count = load_at<std::uint32_t>(bytes, 28);
  prefix.data_size = load_at<std::uint32_t>(bytes, 32);
  prefix.digests_checksum = load_at<std::uint64_t>(bytes, 40);
  if (prefix.position != position || prefix.meta_size > kMetaSizeMax) return std::nullopt;
  if (prefix.type != RecordType::Void && prefix.data_size > kRunDataSizeMax) return std::nullopt;
  // A run's blocks have at least one byte each of at least 512 but the last.
  if (prefix.digest_count > prefix.data_size) return std::nullopt;
  return prefix;
}

bool head_is_intact(const RecordPrefix& prefix, ByteView head) {
  MENDFS_ASSERT(head.size() == prefix.head_size());
  return checksum64(head.subspan(kChecksummedFrom)) == prefix.checksum;
}

Result<RunHeader> decode_run(const RecordPrefix& prefix, ByteView head) {
  if (prefix.type != RecordType::Run || prefix.meta_size != kRunMetaSize)
    return Error{ErrorCode::Corruption, "a record that is no run"};
  MENDFS_TRY(const RunHeader header, decode_meta<RunHeader>(prefix, head));
  if (Result<void> sound = check_run(header, prefix.digest_count); !sound)
    return Error{ErrorCode::Corruption, sound.error().message};
  if (header.data_size() != prefix.data_size)
    return Error{ErrorCode::Corruption, "a run whose size is not its blocks'"};
  return header;
}

bool digests_are_intact(const RecordPrefix& prefix, std::span<const Digest> digests) {
  return digests.size() == prefix.digest_count && digests_checksum(digests) == prefix.digests_checksum;
}

RunPlaces run_places(RunKind kind, std::uint32_t block_count, std::uint32_t block_size, std::uint32_t last_size) {
  RecordPrefix prefix;
  prefix.meta_size = kRunMetaSize;
  if (kind == RunKind::Data) {
    prefix.digest_count = block_count;
    prefix.data_size = (block_count - 1) * block_size + last_size;
  }
  return {prefix.head_size(), prefix.data_offset(), prefix.record_size()};
}

}  // namespace mendfs::store
