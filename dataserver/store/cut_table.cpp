#include "dataserver/store/cut_table.h"

#include <algorithm>

#include "dataserver/store/index_keys.h"
#include "protocol/fields.h"

namespace mendfs::store {

Result<const CutEntry*> CutTable::get(InodeNumber inode) {
  if (const auto found = cached_.find(inode); found != cached_.end()) {
    used_.splice(used_.begin(), used_, found->second.used);
    return &found->second.entry;
  }
  MENDFS_TRY(const bool is_new, is_young(inode));
  std::optional<std::string> value;
  if (!is_new) {
    MENDFS_TRY(value, kv_.get(keys::numbered(keys::kCuts, inode)));
  }
  CutEntry entry;  // files never cut are remembered too
  if (value) {
    Result<CutEntry> stored = unpack<CutEntry>(*value);
    if (!stored) return Error{ErrorCode::Corruption, "the index has an impossible entry of cuts"};
    entry = std::move(*stored);
  }
  return &remember(inode, std::move(entry));
}

/// Whether it is younger than all files with an entry.
Result<bool> CutTable::is_young(InodeNumber inode) {
  if (!newest_) {
    MENDFS_TRY(const auto last, kv_.floor(keys::end_of(keys::kCuts), std::string(1, keys::kCuts)));
    newest_ = last ? keys::number_of<InodeNumber>(last->first).value_or(UINT64_MAX) : 0;
  }
  return inode > *newest_;
}

Result<void> CutTable::put(InodeNumber inode, CutEntry entry, Position log_end) {
  KvBatch batch;
  batch.put(keys::numbered(keys::kCuts, inode), pack(entry));
  batch.put(keys::numbered(keys::kTrim, inode), "");
  batch.put(std::string(keys::kEnd), pack(log_end));
  MENDFS_TRY_VOID(kv_.apply(batch));
  if (newest_) newest_ = std::max(*newest_, inode);
  trim_from_ = std::min(trim_from_, inode);
  (void)remember(inode, std::move(entry));
  return {};
}

Result<InodeNumber> CutTable::next_to_trim(InodeNumber from) {
  InodeNumber next = 0;
  // A search from the beginning would pass every entry that was removed lately, each time.
  const InodeNumber begin = std::max(from, trim_from_);
  MENDFS_TRY_VOID(kv_.scan(keys::numbered(keys::kTrim, begin), keys::end_of(keys::kTrim), [&](auto key, auto) {
    next = keys::number_of<InodeNumber>(key).value_or(0);
    return false;
  }));
  if (from <= trim_from_) trim_from_ = next == 0 ? UINT64_MAX : next;
  return next;
}

Result<void> CutTable::trimmed(InodeNumber inode) {
  KvBatch batch;
  batch.remove(keys::numbered(keys::kTrim, inode));
  return kv_.apply(batch);
}

CutEntry& CutTable::remember(InodeNumber inode, CutEntry entry) {
  if (const auto found = cached_.find(inode); found != cached_.end()) {
    found->second.entry = std::move(entry);
    used_.splice(used_.begin(), used_, found->second.used);
    return found->second.entry;
  }
  if (cached_.size() >= cached_max_) {
    cached_.erase(used_.back());
    used_.pop_back();
  }
  used_.push_front(inode);
  return cached_.emplace(inode, Cached{std::move(entry), used_.begin()}).first->second.entry;
}

}  // namespace mendfs::store
