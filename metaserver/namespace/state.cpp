#include "metaserver/namespace/state.h"

#include "metaserver/namespace/state_keys.h"

namespace mendfs::metaserver {

namespace {

/// Few and small, and looked at by every command.
bool is_kept_in_memory(std::string_view key) {
  return key.front() == keys::kSingleTag || key.front() == keys::kSessionTag;
}

}  // namespace

Result<std::optional<std::string>> State::get(const std::string& key) {
  for (const Changes* changes : {&command_, &group_, &kept_})
    if (auto found = changes->find(key); found != changes->end()) return found->second;
  MENDFS_TRY(std::optional<std::string> stored, kv_.get(key));
  if (stored && is_kept_in_memory(key)) kept_.emplace(key, *stored);
  return stored;
}

Result<void> State::scan(const std::string& begin, const std::string& end, const ScanVisit& visit) {
  // The changes in the range, the command's in place of the group's.
  Changes changes(command_.lower_bound(begin), command_.lower_bound(end));
  changes.insert(group_.lower_bound(begin), group_.lower_bound(end));

  auto change = changes.begin();
  bool go_on = true;
  const auto visit_changes_before = [&](std::string_view key) {
    for (; go_on && change != changes.end() && change->first < key; ++change)
      if (change->second) go_on = visit(change->first, *change->second);
  };
  MENDFS_TRY_VOID(kv_.scan(begin, end, [&](std::string_view key, std::string_view value) {
    visit_changes_before(key);
    const bool changed = change != changes.end() && change->first == key;
    if (go_on && !changed) go_on = visit(key, value);
    return go_on;
  }));
  visit_changes_before(end);
  return {};
}

void State::accept() {
  for (auto& [key, value] : command_) group_.insert_or_assign(key, std::move(value));
  command_.clear();
}

Result<void> State::commit() {
  MENDFS_ASSERT(command_.empty());
  KvBatch batch;
  while (!group_.empty()) {
    auto change = group_.extract(group_.begin());
    if (is_kept_in_memory(change.key())) {
      if (change.mapped())
        kept_.insert_or_assign(change.key(), change.mapped());
      else
        kept_.erase(change.key());
    }
    if (change.mapped())
      batch.put(std::move(change.key()), std::move(*change.mapped()));
    else
      batch.remove(std::move(change.key()));
  }
  return kv_.apply(batch);
}

}  // namespace mendfs::metaserver
