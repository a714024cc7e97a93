#include "block/run.h"

#include "block/placement.h"

namespace mendfs {
namespace {

Error malformed(const char* why) { return Error{ErrorCode::Malformed, std::string("impossible run: ") + why}; }

}  // namespace

Result<void> check_run(const RunHeader& header, std::size_t digest_count) {
  if (Result<void> layout = check_layout(header.layout); !layout) return malformed(layout.error().message.c_str());
  const BlockRun& blocks = header.blocks;
  if (blocks.count == 0 || blocks.step != header.layout.slot_count) return malformed("count or step");
  const std::uint64_t block_index_max = kFileSizeMax / header.layout.block_size;
  const std::uint64_t spread = std::uint64_t{blocks.count - 1} * blocks.step;  // 32 bits times 32 bits: no overflow
  if (blocks.first > block_index_max || spread > block_index_max - blocks.first) return malformed("block index");
  if (header.copy >= header.layout.copy_count) return malformed("copy");
  if (header.version.is_zero()) return malformed("version");
  if (header.kind == RunKind::Data) {
    if (header.last_size == 0 || header.last_size > header.layout.block_size) return malformed("last block");
    if (digest_count != blocks.count) return malformed("digest count");
  } else if (header.last_size != 0 || digest_count != 0) {
    return malformed("a hole with data");
  }
  return {};
}

}  // namespace mendfs
