#include "block/types.h"

#include <fmt/core.h>

#include <algorithm>

namespace mendfs {

std::string to_string(const Uuid& id) { return fmt::format("{:016x}{:016x}", id.high, id.low); }

std::uint64_t CutList::limit_for(std::uint64_t number) const {
  // Sizes rise with numbers, so the first later cut is the smallest.
  for (const Cut& cut : cuts_)
    if (cut.number > number) return cut.size;
  return UINT64_MAX;
}

bool CutList::add(Cut cut) {
  auto place =
      std::lower_bound(cuts_.begin(), cuts_.end(), cut, [](const Cut& a, const Cut& b) { return a.number < b.number; });
  if (place != cuts_.end()) {
    if (place->number == cut.number) return false;
    // A later cut to no more bytes hides all that this one would.
    if (place->size <= cut.size) return false;
  }
  place = cuts_.insert(place, cut);
  auto keep_from = std::find_if(std::make_reverse_iterator(place), cuts_.rend(), [&](const Cut& earlier) {
                     return earlier.size < cut.size;
                   }).base();
  cuts_.erase(keep_from, place);
  return true;
}

bool CutList::merge(const CutList& other) {
  bool changed = false;
  for (const Cut& cut : other.cuts_) changed = add(cut) || changed;
  return changed;
}

}  // namespace mendfs
