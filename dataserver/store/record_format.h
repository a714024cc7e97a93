// The bytes of a segment (docs/disk-format.md): records one after the other, each self-describing, none ever
// overwritten.
//
//   offset  size
//        0     8  checksum64 of the bytes from 8 to the end of the meta
//        8     4  magic "MRec"
//       12     1  type                 13  1  format version         14  2  zero
//       16     8  position of this record: a misdirected one is seen
//       24     4  meta size            28  4  digest count
//       32     4  data size            36  4  zero
//       40     8  checksum64 of the digests
//       48        meta: the packed struct of the type (protocol/fields.h)
//                 digests, 32 bytes each
//                 data, guarded by the digests alone
//                 zeros up to a multiple of 8
//
// All integers are little-endian. A position is segment number << 32 | offset, so positions rise as the store grows.
// Pure; what is read here comes from a disk that may lie: nothing is trusted before its checksum fits.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/buffer.h"
#include "base/error.h"
#include "block/run.h"
#include "block/types.h"
#include "protocol/data.h"
#include "protocol/fields.h"
#include "protocol/ring_data.h"

namespace mendfs::store {

using Position = std::uint64_t;
using SegmentNumber = std::uint32_t;

constexpr Position position_of(SegmentNumber segment, std::uint32_t offset) {
  return std::uint64_t{segment} << 32 | offset;
}
constexpr SegmentNumber segment_of(Position position) { return static_cast<SegmentNumber>(position >> 32); }
constexpr std::uint32_t offset_of(Position position) { return static_cast<std::uint32_t>(position); }

constexpr std::uint32_t kRecordMagic = 0x6365524d;  // "MRec"
constexpr std::uint8_t kRecordFormat = 1;
constexpr std::size_t kPrefixSize = 48;
constexpr std::size_t kRecordAlignment = 8;
/// Of a packed RunHeader.
constexpr std::size_t kRunMetaSize = 105;
constexpr std::uint32_t kMetaSizeMax = 1u << 20;
/// Of one run: far above any message, far below a segment's 4 GiB.
constexpr std::uint64_t kRunDataSizeMax = 16u << 20;

enum class RecordType : std::uint8_t {
  Begin = 1,  // first of each segment: BeginMeta
  Run = 2,    // RunHeader, digests, data
  Cuts = 3,   // protocol::CutRecord, all cuts of the file up to then
  Sync = 4,   // SyncMeta: how far the log was durable when this was written
  Void = 5,   // recovery laid it over bytes that never became a record; its data means nothing
  kMax = Void,
};

struct BeginMeta {
  Generation generation;
  Position previous_end = 0;  // where the segment before it ended: one cut short is seen. 0: unknown
  template <class V>
  void fields(V& v) {
    v("generation", generation);
    v("previous_end", previous_end);
  }
};

/// Everything of the range that was ever acknowledged here at or below `version` survives a power cut.
struct Watermark {
  Slot range = 0;
  Version version;
  template <class V>
  void fields(V& v) {
    v("range", range);
    v("version", version);
  }
};

struct SyncMeta {
  Position durable = 0;  // all records before it survived a power cut already
  std::vector<Watermark> watermarks;
  template <class V>
  void fields(V& v) {
    v("durable", durable);
    v("watermarks", watermarks);
  }
};

/// The fixed start of a record, decoded.
struct RecordPrefix {
  std::uint64_t checksum = 0;
  RecordType type = RecordType::Void;
  Position position = 0;
  std::uint32_t meta_size = 0;
  std::uint32_t digest_count = 0;
  std::uint32_t data_size = 0;
  std::uint64_t digests_checksum = 0;

  std::size_t head_size() const { return kPrefixSize + meta_size; }
  std::size_t data_offset() const { return head_size() + std::size_t{digest_count} * sizeof(Digest); }
  /// With the padding.
  std::size_t record_size() const {
    return (data_offset() + data_size + kRecordAlignment - 1) / kRecordAlignment * kRecordAlignment;
  }
};

/// Prefix and meta of a record, ready to be written before its digests and data.
std::string encode_head(RecordType type, Position position, std::string_view meta, std::span<const Digest> digests,
                        std::uint32_t data_size);
/// A whole record without digests and data, padded.
std::string encode_small(RecordType type, Position position, std::string_view meta);

/// The first kPrefixSize bytes: nothing when they cannot begin a record at `position`. Its checksum is not yet checked.
std::optional<RecordPrefix> decode_prefix(ByteView bytes, Position position);
/// Whether the checksum fits prefix and meta. Requires: head.size() == prefix.head_size().
bool head_is_intact(const RecordPrefix& prefix, ByteView head);
/// The meta of an intact head; Corruption when it is not a packed Meta.
template <class Meta>
Result<Meta> decode_meta(const RecordPrefix& prefix, ByteView head) {
  auto meta = unpack<Meta>(text_of(head.subspan(kPrefixSize, prefix.meta_size)));
  if (!meta) return Error{ErrorCode::Corruption, "a record with an impossible meta"};
  return meta;
}
/// A run record's header; Corruption when it cannot be one or is inconsistent with its prefix.
Result<RunHeader> decode_run(const RecordPrefix& prefix, ByteView head);

/// Whether the digests are those the head was written with. The data they guard needs no checksum of its own.
bool digests_are_intact(const RecordPrefix& prefix, std::span<const Digest> digests);

/// Where things are within the record of a run, from its header's shape alone.
struct RunPlaces {
  std::size_t digests_offset = 0;
  std::size_t data_offset = 0;
  std::size_t record_size = 0;
};
RunPlaces run_places(RunKind kind, std::uint32_t block_count, std::uint32_t block_size, std::uint32_t last_size);

}  // namespace mendfs::store
