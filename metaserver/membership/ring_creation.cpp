#include "metaserver/membership/ring_creation.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "env/network.h"

namespace mendfs::metaserver {
namespace {

constexpr std::string_view kThisMachine = "127.0.0.1:";

/// As on a command line: the port alone for this machine.
std::string short_form(const std::string& address) {
  return address.starts_with(kThisMachine) ? address.substr(kThisMachine.size()) : address;
}

std::string line_of(const std::vector<std::string>& addresses) {
  std::string line;
  for (const std::string& address : addresses) line += " " + short_form(address);
  return line;
}

std::string mount_line(const std::vector<std::string>& addresses) {
  return "fuseclient <mountpoint> <metaserver>" + line_of(addresses);
}

std::string dataserver_line(std::size_t index, const std::vector<std::string>& addresses) {
  return fmt::format("dataserver {}{}", index, line_of(addresses));
}

/// The order that the servers themselves give, if there is one.
std::optional<std::vector<std::string>> own_order(const std::vector<Candidate>& candidates) {
  std::vector<std::string> order(candidates.size());
  for (const Candidate& candidate : candidates) {
    const Slot index = candidate.identity->index;
    if (index >= order.size() || !order[index].empty()) return std::nullopt;
    order[index] = candidate.address;
  }
  return order;
}

Error refused(std::string message) { return {ErrorCode::Refused, std::move(message)}; }

}  // namespace

Result<std::vector<std::string>> normalise_addresses(const std::vector<std::string>& addresses) {
  if (addresses.size() < 2)
    return Error{ErrorCode::InvalidArgument,
                 "a filesystem needs at least two dataservers, since every block is kept on two of them"};
  if (addresses.size() > kSlotCountMax)
    return Error{ErrorCode::InvalidArgument,
                 fmt::format("{} dataservers are more than a ring can have ({})", addresses.size(), kSlotCountMax)};
  std::vector<std::string> normal;
  std::set<std::string> seen;
  for (const std::string& text : addresses) {
    MENDFS_TRY(const Address address, parse_address(text));
    normal.push_back(to_string(address));
    if (!seen.insert(normal.back()).second)
      return Error{ErrorCode::InvalidArgument, fmt::format("dataserver {} is named twice", normal.back())};
  }
  return normal;
}

Result<void> check_candidates(const std::vector<Candidate>& candidates) {
  std::vector<std::string> addresses;
  std::string missing;
  for (const Candidate& candidate : candidates) {
    addresses.push_back(candidate.address);
    if (candidate.refusal) return *candidate.refusal;
    if (!candidate.identity) missing += (missing.empty() ? "" : ", ") + candidate.address;
  }
  for (const Candidate& candidate : candidates) {
    if (candidate.identity && !candidate.identity->blank)
      return refused(
          fmt::format("dataserver {} belongs to another filesystem (cluster {}), and this metaserver is new: start "
                      "the metaserver with its old directory, or that dataserver with an empty one",
                      candidate.address, to_string(candidate.identity->cluster)));
  }
  if (!missing.empty())
    return Error{ErrorCode::Unavailable,
                 fmt::format("no answer from dataserver {}: all dataservers must run for the first mount", missing)};
  for (const Candidate& candidate : candidates) {
    if (candidate.identity->slot_count != candidates.size())
      return refused(
          fmt::format("dataserver {} was started as one of {}, but the mount names {}: every dataserver and the "
                      "mount must name the same ports, as in: {}",
                      candidate.address, candidate.identity->slot_count, candidates.size(), mount_line(addresses)));
  }
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    const Slot index = candidates[i].identity->index;
    if (index == i) continue;
    const std::string difference = fmt::format(
        "dataserver {} was started with index {}, but the mount names it in place {}", candidates[i].address, index, i);
    if (const auto order = own_order(candidates)) return refused(difference + "; mount with: " + mount_line(*order));
    return refused(difference + "; start it with: " + dataserver_line(i, addresses));
  }
  return {};
}

Result<void> compare_addresses(const std::vector<std::string>& ring, const std::vector<std::string>& named) {
  if (ring == named) return {};
  const auto [ours, theirs] = std::mismatch(ring.begin(), ring.end(), named.begin(), named.end());
  const auto place = ours - ring.begin();
  std::string difference;
  if (ours == ring.end()) {
    difference = fmt::format("this filesystem has {} dataservers, the mount names {}", ring.size(), named.size());
  } else if (theirs == named.end()) {
    difference = fmt::format("dataserver {} of this filesystem, {}, is not named", place, *ours);
  } else {
    difference = fmt::format("dataserver {} of this filesystem is {}, not {}", place, *ours, *theirs);
  }
  return refused(difference + "; mount with: " + mount_line(ring));
}

}  // namespace mendfs::metaserver
