// Hashes what is written before the client core takes it: at once, or, when it is much and more requests are waiting,
// on another core. For a lone writer the way there and back is longer than what it saves, and the bytes are in this
// core's cache. The writes of one file go on in the order in which they came. Loop thread.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <unordered_map>
#include <utility>

#include "base/buffer.h"
#include "block/types.h"
#include "client/prepared_write.h"
#include "env/threads.h"

namespace mendfs::fuse {

class WriteHasher {
 public:
  using GoOn = std::function<void(client::PreparedWrite)>;

  /// `is_more_waiting` tells whether the kernel has another request ready.
  WriteHasher(Threads& threads, std::function<bool()> is_more_waiting)
      : threads_(threads), is_more_waiting_(std::move(is_more_waiting)) {}
  WriteHasher(const WriteHasher&) = delete;

  /// `go_on` gets the bytes with their digests, now or later.
  void prepare(InodeNumber file, std::uint64_t offset, Buffer data, std::uint32_t block_size, GoOn go_on);

 private:
  struct Pending {
    GoOn go_on;
    client::PreparedWrite write;
    bool hashed = false;
  };
  void hand_on(InodeNumber file);

  Threads& threads_;
  std::function<bool()> is_more_waiting_;
  /// Of the files with a write on another core: it, and all that came after it.
  std::unordered_map<InodeNumber, std::deque<std::shared_ptr<Pending>>> pending_;
};

}  // namespace mendfs::fuse
