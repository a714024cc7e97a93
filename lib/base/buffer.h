// Buffer: a view of bytes that shares the memory it looks at. Copying one copies a pointer, so data travels from a
// socket to a disk, or from a disk to a socket, without being copied for the sake of ownership.
//
// The bytes of a fresh buffer are uninitialised. Whoever allocated it fills it before sharing it; from then on they
// are treated as immutable. Any thread.
#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/assert.h"

namespace mendfs {

using ByteView = std::span<const std::byte>;

inline ByteView bytes_of(std::string_view text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}
inline std::string_view text_of(ByteView bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

class Buffer {
 public:
  Buffer() = default;

  static Buffer allocate(std::size_t size) {
    Buffer buffer;
    buffer.memory_ = std::shared_ptr<std::byte[]>(new std::byte[size]);
    buffer.data_ = buffer.memory_.get();
    buffer.size_ = size;
    return buffer;
  }
  /// Bytes that lie in memory of somebody else's making, for as long as `memory` is held.
  static Buffer share(std::shared_ptr<std::byte[]> memory, std::span<std::byte> bytes) {
    Buffer buffer;
    buffer.memory_ = std::move(memory);
    buffer.data_ = bytes.data();
    buffer.size_ = bytes.size();
    return buffer;
  }
  static Buffer copy_of(ByteView bytes) {
    Buffer buffer = allocate(bytes.size());
    if (!bytes.empty()) std::memcpy(buffer.data_, bytes.data(), bytes.size());
    return buffer;
  }

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  const std::byte* data() const { return data_; }
  ByteView view() const { return {data_, size_}; }
  operator ByteView() const { return view(); }

  /// For whoever allocated it, before it is shared.
  std::span<std::byte> writable() { return {data_, size_}; }

  /// Bytes [offset, offset + size) of this one, sharing its memory. Requires: they exist.
  Buffer slice(std::size_t offset, std::size_t size) const {
    MENDFS_ASSERT(offset <= size_ && size <= size_ - offset);
    Buffer part = *this;
    part.data_ += offset;
    part.size_ = size;
    return part;
  }

 private:
  std::shared_ptr<std::byte[]> memory_;
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace mendfs
