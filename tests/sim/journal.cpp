#include "tests/sim/journal.h"

#include <algorithm>
#include <utility>

#include "block/placement.h"

namespace mendfs::sim {

void Journal::File::lose_meta_power(Time synced_at) {
  FileModel::Mark known = 0;
  for (const auto& [time, mark] : told)
    if (time <= synced_at) known = std::max(known, mark);
  model.lose_told_size(known);
  size_in_doubt = true;
  if (renamed > synced_at) other_names.push_back(old_name);
  may_be_gone = may_be_gone || made > synced_at;
  may_be_back = may_be_back || removed > synced_at;
  in_doubt = true;
}

void Journal::reset(Slot slot) {
  for (const auto& file : files) file->reset.insert(slot);
  shared.reset.insert(slot);
}

void Journal::lose_unsynced() {
  for (const auto& file : files) {
    // The bytes that would have told the size may be gone.
    if (std::exchange(file->size_untold, false)) file->model.lose_writer();
    file->model.lose_power();
  }
  if (shared.model) shared.model->lose_power();
}

bool Journal::hold_a_block(const std::set<Slot>& slots) const {
  for (Slot range = 0; range < slot_count; ++range) {
    std::uint32_t held = 0;
    for (const Slot holder : holders_of(range, slot_count, copy_count)) held += slots.contains(holder) ? 1 : 0;
    if (held == copy_count) return true;
  }
  return false;
}

}  // namespace mendfs::sim
