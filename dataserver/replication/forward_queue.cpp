#include "dataserver/replication/forward_queue.h"

#include <iterator>
#include <utility>

#include "base/assert.h"

namespace mendfs::replication {

std::size_t ForwardQueue::Entry::data_size() const {
  std::size_t size = 0;
  for (const Run& run : runs) size += run.data.size();
  return size;
}

void ForwardQueue::add(Entry entry) {
  MENDFS_ASSERT(!entry.runs.empty());
  const InodeNumber inode = entry.inode();
  count_ += 1;
  data_size_ += entry.data_size();
  std::deque<Entry>& file = files_[inode];
  const bool was_idle = file.empty() && !in_flight_.contains(inode);
  file.push_back(std::move(entry));
  if (was_idle) turn_.push_back(inode);
}

std::optional<ForwardQueue::Message> ForwardQueue::next() {
  if (turn_.empty() || in_flight_.size() >= kMessagesInFlightMax) return std::nullopt;
  const InodeNumber inode = turn_.front();
  turn_.pop_front();
  in_flight_.insert(inode);
  std::deque<Entry>& file = files_.at(inode);
  Message message;
  message.number = next_number_++;
  std::size_t size = 0;
  std::size_t runs = 0;
  while (!file.empty()) {
    const Entry& entry = file.front();
    const bool fits = size + entry.data_size() <= kMessageSizeMax && runs + entry.runs.size() <= kMessageRunsMax;
    const bool same_session = message.entries.empty() || entry.writer.session == message.entries.front().writer.session;
    if (!message.entries.empty() && !(fits && same_session)) break;
    size += entry.data_size();
    runs += entry.runs.size();
    message.entries.push_back(std::move(file.front()));
    file.pop_front();
  }
  return message;
}

void ForwardQueue::delivered(const Message& message) {
  for (const Entry& entry : message.entries) {
    count_ -= 1;
    data_size_ -= entry.data_size();
  }
  settle(message.entries.front().inode());
}

void ForwardQueue::failed(Message message) {
  const InodeNumber inode = message.entries.front().inode();
  std::deque<Entry>& file = files_.at(inode);
  file.insert(file.begin(), std::make_move_iterator(message.entries.begin()),
              std::make_move_iterator(message.entries.end()));
  settle(inode);
}

/// Nothing of the file is in flight any more.
void ForwardQueue::settle(InodeNumber inode) {
  in_flight_.erase(inode);
  auto file = files_.find(inode);
  if (file->second.empty()) {
    files_.erase(file);
  } else {
    turn_.push_back(inode);
  }
}

}  // namespace mendfs::replication
