// A mounted filesystem over fake servers, and short ways to use it.
#pragma once

#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <memory>
#include <string>
#include <vector>

#include "client/filesystem.h"
#include "tests/unit/lib/client/fake_cluster.h"

namespace mendfs::client {

inline const OpenFlags kReadWrite{.read = true, .write = true};

inline std::vector<std::byte> pattern(std::size_t size, unsigned seed) {
  std::vector<std::byte> bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>((i * 131 + i / 251 + seed * 77) & 0xff);
  return bytes;
}

inline std::vector<std::byte> to_vector(const Buffer& bytes) { return {bytes.view().begin(), bytes.view().end()}; }

/// A mount and one file on it.
struct Mounted {
  explicit Mounted(std::uint32_t slot_count = 3, Options options = {}) : cluster(slot_count) {
    filesystem = cluster.mount(options);
  }

  Opened create(const std::string& name, OpenFlags flags = kReadWrite) {
    protocol::MakeRequest request;
    request.parent = kRootInode;
    request.name = name;
    request.mode = S_IFREG | 0644;
    Result<Opened> opened = cluster.run(filesystem->create(request, flags));
    REQUIRE(opened);
    return *opened;
  }
  Task<Result<std::uint32_t>> write_task(HandleId handle, std::uint64_t offset, const std::vector<std::byte>& bytes) {
    return filesystem->write(handle, prepare_write(offset, Buffer::copy_of(bytes), block_size_of(handle)));
  }
  void write(HandleId handle, std::uint64_t offset, const std::vector<std::byte>& bytes) {
    const auto written = cluster.run(write_task(handle, offset, bytes));
    REQUIRE(written);
    REQUIRE(*written == bytes.size());
  }
  std::vector<std::byte> read(HandleId handle, std::uint64_t offset, std::uint32_t size) {
    const auto bytes = cluster.run(filesystem->read(handle, offset, size));
    REQUIRE(bytes);
    return to_vector(*bytes);
  }
  void flush(HandleId handle) { REQUIRE(cluster.run(filesystem->flush(handle))); }

  FakeCluster cluster;
  std::unique_ptr<Filesystem> filesystem;
};

}  // namespace mendfs::client
