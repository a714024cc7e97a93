#include "dataserver/replication/order_queue.h"

#include <algorithm>

#include "base/assert.h"

namespace mendfs::replication {

bool share_blocks(const BlockRun& a, const BlockRun& b) {
  if (a.count == 0 || b.count == 0 || a.last() < b.first || b.last() < a.first) return false;
  if (a.step != b.step) return true;  // cannot say cheaply: the careful answer
  const BlockIndex low = std::min(a.first, b.first);
  const BlockIndex high = std::max(a.first, b.first);
  return (high - low) % a.step == 0;
}

bool OrderQueue::overlap(const Entry& a, const Entry& b) {
  for (const BlockRun& part : a.parts)
    for (const BlockRun& other : b.parts)
      if (share_blocks(part, other)) return true;
  return false;
}

OrderQueue::Ticket OrderQueue::enter(InodeNumber inode, std::vector<BlockRun> parts) {
  Entry entry{next_++, std::move(parts), 0};
  std::vector<Entry>& queue = files_[inode];
  for (const Entry& earlier : queue)
    if (overlap(earlier, entry)) ++entry.in_the_way;
  inode_of_.emplace(entry.ticket, inode);
  queue.push_back(std::move(entry));
  return queue.back().ticket;
}

bool OrderQueue::is_ready(Ticket ticket) const {
  auto inode = inode_of_.find(ticket);
  MENDFS_ASSERT(inode != inode_of_.end());
  for (const Entry& entry : files_.at(inode->second))
    if (entry.ticket == ticket) return entry.in_the_way == 0;
  return false;
}

std::vector<OrderQueue::Ticket> OrderQueue::leave(Ticket ticket) {
  auto inode = inode_of_.find(ticket);
  MENDFS_ASSERT(inode != inode_of_.end());
  auto file = files_.find(inode->second);
  std::vector<Entry>& queue = file->second;
  auto leaving = std::find_if(queue.begin(), queue.end(), [&](const Entry& e) { return e.ticket == ticket; });
  std::vector<Ticket> ready;
  for (auto later = leaving + 1; later != queue.end(); ++later) {
    if (!overlap(*leaving, *later)) continue;
    if (--later->in_the_way == 0) ready.push_back(later->ticket);
  }
  queue.erase(leaving);
  if (queue.empty()) files_.erase(file);
  inode_of_.erase(inode);
  return ready;
}

}  // namespace mendfs::replication
