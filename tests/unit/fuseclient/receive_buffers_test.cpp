#include "fuseclient/receive_buffers.h"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <cstring>

#include "fuseclient/convert.h"

namespace mendfs::fuse {
namespace {

constexpr std::size_t kHeaderSize = 80;

/// What libfuse does with a buffer: memory of its own making if there is none, then a request.
const char* receive(fuse_buf& buffer, char filling, std::size_t size) {
  if (buffer.mem == nullptr) buffer.mem = std::malloc(kRequestSizeMax + 4096);
  char* bytes = static_cast<char*>(buffer.mem) + kHeaderSize;
  std::memset(bytes, filling, size);
  return bytes;
}

bool is_all(const Buffer& buffer, char filling) {
  for (const std::byte byte : buffer.view())
    if (byte != static_cast<std::byte>(filling)) return false;
  return true;
}

TEST_CASE("requests are received into the same memory again, and a small write is copied out of it", "[fuse]") {
  ReceiveBuffers buffers;
  const char* first = receive(buffers.next(), 'a', 4096);
  const Buffer kept = buffers.keep(first, 4096);
  CHECK(receive(buffers.next(), 'b', 4096) == first);
  CHECK(kept.size() == 4096);
  CHECK(is_all(kept, 'a'));
}

TEST_CASE("a large write keeps its memory while it lives, and then gives it back", "[fuse]") {
  ReceiveBuffers buffers;
  const char* first = receive(buffers.next(), 'a', kRequestSizeMax);
  {
    const Buffer kept = buffers.keep(first, kRequestSizeMax);
    CHECK(kept.data() == reinterpret_cast<const std::byte*>(first));
    const char* second = receive(buffers.next(), 'b', kRequestSizeMax);
    CHECK(second != first);
    const Buffer also_kept = buffers.keep(second, kRequestSizeMax);
    CHECK(is_all(kept, 'a'));
  }
  CHECK(receive(buffers.next(), 'c', 10) != nullptr);
}

TEST_CASE("kept bytes outlive the buffers", "[fuse]") {
  Buffer kept;
  {
    ReceiveBuffers buffers;
    const char* bytes = receive(buffers.next(), 'a', kRequestSizeMax);
    kept = buffers.keep(bytes, kRequestSizeMax);
  }
  CHECK(is_all(kept, 'a'));
}

}  // namespace
}  // namespace mendfs::fuse
