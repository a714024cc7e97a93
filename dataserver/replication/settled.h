// Settled: up to which version everything that this primary gave has reached all holders. Pure; one thread.
#pragma once

#include <cstdint>
#include <set>

#include "base/assert.h"
#include "block/types.h"

namespace mendfs::replication {

class Settled {
 public:
  /// All holders agree about everything below this term.
  void begin(std::uint64_t term) {
    term_ = term;
    last_given_ = 0;
    outstanding_.clear();
  }
  /// The next version of the term.
  Version give() {
    MENDFS_ASSERT(term_ != 0);
    outstanding_.insert(++last_given_);
    return {term_, last_given_};
  }
  /// Every holder has what was given this version. Versions of earlier terms are ignored.
  void reached_all(Version version) {
    if (version.term == term_) outstanding_.erase(version.count);
  }
  /// It may still be on its way to some holder.
  bool is_outstanding(Version version) const { return version.term == term_ && outstanding_.contains(version.count); }
  Version value() const { return {term_, outstanding_.empty() ? last_given_ : *outstanding_.begin() - 1}; }

 private:
  std::uint64_t term_ = 0;
  std::uint64_t last_given_ = 0;
  std::set<std::uint64_t> outstanding_;
};

}  // namespace mendfs::replication
