#include "tests/sim/journal.h"

#include <algorithm>

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

}  // namespace mendfs::sim
