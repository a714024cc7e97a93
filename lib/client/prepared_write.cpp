#include "client/prepared_write.h"

#include <algorithm>

#include "block/checksum.h"

namespace mendfs::client {

PreparedWrite prepare_write(std::uint64_t offset, Buffer data, std::uint32_t block_size) {
  PreparedWrite write{offset, std::move(data), block_size, {}};
  const ByteView bytes = write.data;
  for (std::size_t done = 0; done < bytes.size();) {
    const std::size_t size = std::min<std::size_t>(bytes.size() - done, block_size - (offset + done) % block_size);
    write.digests.push_back(sha256(bytes.subspan(done, size)));
    done += size;
  }
  return write;
}

}  // namespace mendfs::client
