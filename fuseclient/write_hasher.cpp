#include "fuseclient/write_hasher.h"

#include <utility>

namespace mendfs::fuse {
namespace {

/// Below this (40 us), hashing takes hardly longer than waking another thread and being woken by it.
constexpr std::size_t kAsideSizeMin = 128u << 10;

}  // namespace

void WriteHasher::prepare(InodeNumber file, std::uint64_t offset, Buffer data, std::uint32_t block_size, GoOn go_on) {
  const bool aside = data.size() >= kAsideSizeMin && is_more_waiting_();
  if (!aside && !pending_.contains(file)) {
    go_on(client::prepare_write(offset, std::move(data), block_size));
    return;
  }

  auto pending = std::make_shared<Pending>();
  pending->go_on = std::move(go_on);
  pending_[file].push_back(pending);
  if (!aside) {
    pending->write = client::prepare_write(offset, std::move(data), block_size);
    pending->hashed = true;
    return;  // one before it is not ready
  }
  threads_.run([pending, offset, data = std::move(data),
                block_size] { pending->write = client::prepare_write(offset, data, block_size); },
               [this, file, pending] {
                 pending->hashed = true;
                 hand_on(file);
               });
}

void WriteHasher::hand_on(InodeNumber file) {
  std::deque<std::shared_ptr<Pending>>& queue = pending_.at(file);
  while (!queue.empty() && queue.front()->hashed) {
    const std::shared_ptr<Pending> first = std::move(queue.front());
    queue.pop_front();
    first->go_on(std::move(first->write));
  }
  if (queue.empty()) pending_.erase(file);
}

}  // namespace mendfs::fuse
