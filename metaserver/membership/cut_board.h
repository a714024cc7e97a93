// Cuts and deletions that every dataserver must record: who has acknowledged which. What a dataserver acknowledged
// counts while it runs: after its next start it may have another store, and may have filled that from a server which
// had not heard of the cut. Pure; loop thread only.
#pragma once

#include <map>
#include <set>
#include <vector>

#include "block/types.h"
#include "protocol/data.h"
#include "protocol/ring_data.h"

namespace mendfs::metaserver {

class CutBoard {
 public:
  void set_slot_count(std::size_t count) { starts_.resize(count); }
  /// The latest start of a dataserver whose term is confirmed; zero: there is none, and nothing counts.
  void set_start(Slot slot, const Uuid& start) {
    if (starts_[slot] == start) return;
    starts_[slot] = start;
    for (auto& [inode, item] : items_) item.acknowledged.erase(slot);
  }
  std::size_t size() const { return items_.size(); }
  bool contains(InodeNumber inode) const { return items_.contains(inode); }

  /// A newer cut or a deletion takes the place of what was there, and must be acknowledged anew. Whether this is news.
  bool add(const protocol::CutRecord& record) {
    const auto [item, fresh] = items_.try_emplace(record.inode, Item{record, {}});
    if (fresh) return true;
    if (!is_newer(record, item->second.record)) return false;
    item->second = Item{record, {}};
    return true;
  }

  bool is_start(Slot slot, const Uuid& start) const { return starts_[slot] == start; }

  /// What to tell a slot next.
  std::vector<protocol::CutRecord> for_slot(Slot slot, std::size_t count_max) const {
    std::vector<protocol::CutRecord> records;
    for (const auto& [inode, item] : items_) {
      if (records.size() == count_max) break;
      if (!item.acknowledged.contains(slot)) records.push_back(item.record);
    }
    return records;
  }

  /// The slot's process `start` has recorded these. Answers what all slots have recorded now, which leaves the board.
  std::vector<protocol::CutRecord> acknowledge(Slot slot, const Uuid& start,
                                               const std::vector<protocol::CutRecord>& records) {
    std::vector<protocol::CutRecord> done;
    if (!is_start(slot, start)) return done;
    for (const protocol::CutRecord& record : records) {
      const auto found = items_.find(record.inode);
      // A newer one may have come while this one was on its way.
      if (found == items_.end() || is_newer(found->second.record, record)) continue;
      found->second.acknowledged.insert(slot);
      if (found->second.acknowledged.size() < starts_.size()) continue;
      done.push_back(found->second.record);
      items_.erase(found);
    }
    return done;
  }

 private:
  struct Item {
    protocol::CutRecord record;
    std::set<Slot> acknowledged;
  };
  static bool is_newer(const protocol::CutRecord& a, const protocol::CutRecord& b) {
    return a.deleted != b.deleted ? a.deleted : a.cuts.number() > b.cuts.number();
  }

  std::vector<Uuid> starts_;  // by slot
  std::map<InodeNumber, Item> items_;
};

}  // namespace mendfs::metaserver
