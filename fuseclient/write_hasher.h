// Hashes what is written before the client core takes it: much on another core, little at once. The writes of one file
// go on in the order in which they came. Loop thread.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <unordered_map>

#include "base/buffer.h"
#include "block/types.h"
#include "client/prepared_write.h"
#include "env/threads.h"

namespace mendfs::fuse {

class WriteHasher {
 public:
  using GoOn = std::function<void(client::PreparedWrite)>;

  explicit WriteHasher(Threads& threads) : threads_(threads) {}
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
  /// Of the files with a large write under way: it, and all that came after it.
  std::unordered_map<InodeNumber, std::deque<std::shared_ptr<Pending>>> pending_;
};

}  // namespace mendfs::fuse
