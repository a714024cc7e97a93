#include "client/prepared_write.h"

#include <algorithm>

#include "block/checksum.h"

namespace mendfs::client {

PreparedWrite prepare_write(std::uint64_t offset, Buffer data, std::uint32_t block_size) {
  PreparedWrite write{offset, std::move(data), block_size, {}};
  const ByteView bytes = write.data;
  const std::size_t into_block = offset % block_size;
  const std::size_t head = into_block == 0 ? 0 : std::min<std::size_t>(bytes.size(), block_size - into_block);
  const std::size_t whole = (bytes.size() - head) / block_size;
  const std::size_t tail = bytes.size() - head - whole * block_size;
  write.digests.resize((head > 0) + whole + (tail > 0));
  digest_blocks(bytes.subspan(head, whole * block_size), block_size, std::span(write.digests).subspan(head > 0, whole));
  return write;
}

}  // namespace mendfs::client
