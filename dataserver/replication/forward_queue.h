// ForwardQueue: what a primary still has to pass to one other holder.
//
// Writes of one file stay in order: while a message about a file is in flight, later writes of it wait and are gathered
// into the next one. Messages about different files are in flight side by side. Pure; one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "base/buffer.h"
#include "block/run.h"
#include "block/types.h"

namespace mendfs::replication {

class ForwardQueue {
 public:
  static constexpr std::size_t kMessageSizeMax = 2u << 20;
  static constexpr std::size_t kMessageRunsMax = 1024;
  static constexpr std::size_t kMessagesInFlightMax = 16;

  /// The runs of one write, as appended at the primary.
  struct Entry {
    std::uint64_t id = 0;  // of the caller's choosing
    WriteId writer;
    std::uint64_t answered_below = 0;
    bool durable = false;
    std::vector<Slot> sent_to;  // as in the write
    CutList cuts;
    std::vector<Run> runs;  // of one file

    InodeNumber inode() const { return runs.front().header.inode; }
    std::size_t data_size() const;
  };
  struct Message {
    std::uint64_t number = 0;
    std::vector<Entry> entries;  // of one file and session, in order
  };

  /// Requires: entry.runs is not empty.
  void add(Entry entry);
  /// What may be sent now, if anything. It is in flight until one of the next two calls.
  std::optional<Message> next();
  void delivered(const Message& message);
  /// It goes back to where it was.
  void failed(Message message);

  bool empty() const { return count_ == 0; }
  std::size_t count() const { return count_; }  // entries, those in flight included
  std::size_t data_size() const { return data_size_; }

 private:
  std::map<InodeNumber, std::deque<Entry>> files_;
  std::deque<InodeNumber> turn_;  // files that have something to send and nothing in flight, in order
  std::set<InodeNumber> in_flight_;
  std::uint64_t next_number_ = 1;
  std::size_t count_ = 0;
  std::size_t data_size_ = 0;

  void settle(InodeNumber inode);
};

}  // namespace mendfs::replication
