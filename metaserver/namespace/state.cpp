#include "metaserver/namespace/state.h"

#include "metaserver/namespace/state_keys.h"

namespace mendfs::metaserver {

namespace {

constexpr std::size_t kGroupCountMax = 1024;
constexpr std::size_t kGroupBytesMax = 1u << 20;

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
  auto of_command = command_.lower_bound(begin);
  auto of_group = group_.lower_bound(begin);
  const auto next_change = [&]() -> const Changes::value_type* {
    const bool has_command = of_command != command_.end() && of_command->first < end;
    const bool has_group = of_group != group_.end() && of_group->first < end;
    if (has_command && (!has_group || of_command->first <= of_group->first)) return &*of_command;
    return has_group ? &*of_group : nullptr;
  };
  const auto pass = [&](const std::string& key) {
    if (of_group != group_.end() && of_group->first == key) ++of_group;
    if (of_command != command_.end() && of_command->first == key) ++of_command;
  };

  bool go_on = true;
  const auto visit_changes_before = [&](std::string_view key) {
    for (const auto* change = next_change(); go_on && change != nullptr && change->first < key;
         change = next_change()) {
      if (change->second) go_on = visit(change->first, *change->second);
      pass(change->first);
    }
  };
  MENDFS_TRY_VOID(kv_.scan(begin, end, [&](std::string_view key, std::string_view value) {
    visit_changes_before(key);
    const auto* change = next_change();
    const bool changed = change != nullptr && change->first == key;
    if (go_on && !changed) go_on = visit(key, value);
    return go_on;
  }));
  visit_changes_before(end);
  return {};
}

void State::accept() {
  while (!command_.empty()) {
    auto change = command_.extract(command_.begin());
    group_bytes_ += change.key().size() + (change.mapped() ? change.mapped()->size() : 0);
    auto placed = group_.insert(std::move(change));
    if (!placed.inserted) placed.position->second = std::move(placed.node.mapped());
  }
}

bool State::is_commit_due() const { return group_.size() >= kGroupCountMax || group_bytes_ >= kGroupBytesMax; }

Result<void> State::commit() {
  MENDFS_ASSERT(command_.empty());
  group_bytes_ = 0;
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
