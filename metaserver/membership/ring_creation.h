// Whether a ring may be made of the dataservers that a first mount names, and whether a later mount names the same.
// Each refusal says the first difference and the line that would be right. Pure; any thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "protocol/control.h"

namespace mendfs::metaserver {

/// A dataserver as the mount names it, and what it said when it was asked to reserve itself.
struct Candidate {
  std::string address;                             // host:port
  std::optional<protocol::NodeIdentity> identity;  // nothing: no answer yet
  std::optional<Error> refusal;                    // it answered, and will not be ours
};

/// host:port of each, in order. InvalidArgument: not an address, twice the same, fewer than two or too many.
Result<std::vector<std::string>> normalise_addresses(const std::vector<std::string>& addresses);

/// Ok: all have answered, are blank and say the same index and ring size as the mount. Unavailable names who has not
/// answered; Refused says what is wrong.
Result<void> check_candidates(const std::vector<Candidate>& candidates);

/// Refused, with the first difference, unless both name the same servers in the same order.
Result<void> compare_addresses(const std::vector<std::string>& ring, const std::vector<std::string>& named);

}  // namespace mendfs::metaserver
