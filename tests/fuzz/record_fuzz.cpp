#include "dataserver/store/record_format.h"
#include "tests/fuzz/fuzz.h"

namespace {

using namespace mendfs;

/// Reads bytes as recovery does, without trusting the checksum: a collision must not crash either.
void read_record(ByteView bytes) {
  if (bytes.size() < store::kPrefixSize) return;
  const std::optional<store::RecordPrefix> prefix = store::decode_prefix(bytes.first(store::kPrefixSize), 0);
  if (!prefix || prefix->head_size() > bytes.size()) return;
  const ByteView head = bytes.first(prefix->head_size());
  (void)store::head_is_intact(*prefix, head);
  (void)store::decode_meta<store::BeginMeta>(*prefix, head);
  (void)store::decode_meta<store::SyncMeta>(*prefix, head);
  (void)store::decode_meta<protocol::CutRecord>(*prefix, head);
  const Result<RunHeader> run = store::decode_run(*prefix, head);
  if (run.ok()) MENDFS_ASSERT(run->data_size() == prefix->data_size);
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = fuzz::text_from(data, size);
  read_record(bytes_of(text));
  // The same bytes as the meta of a record whose prefix is right.
  const std::string encoded = store::encode_head(store::RecordType::Run, 0, text, {}, 512);
  read_record(bytes_of(encoded));
  return 0;
}
