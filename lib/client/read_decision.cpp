#include "client/read_decision.h"

namespace mendfs::client {

ReadDecision decide_read(std::span<const CopyView> copies) {
  bool is_lost = false;
  for (const CopyView& view : copies) is_lost = is_lost || view.state == CopyState::Lost;

  bool may_come = false;
  const auto none = static_cast<std::uint32_t>(copies.size());
  std::uint32_t unasked = none;
  std::uint32_t absent = none;
  for (std::uint32_t copy = 0; copy < copies.size(); ++copy) {
    switch (copies[copy].state) {
      case CopyState::Data:
      case CopyState::Hole:
        return {ReadStep::Serve, copy};
      case CopyState::Absent:
        if (absent == none && !is_lost) absent = copy;
        break;
      case CopyState::Unasked:
        if (unasked == none) unasked = copy;
        break;
      case CopyState::NoAnswer:
      case CopyState::Unknown:
        may_come = true;
        break;
      case CopyState::Bad:
      case CopyState::Lost:
        break;
    }
  }
  if (unasked != none) return {ReadStep::Ask, unasked};
  if (absent != none) return {ReadStep::Serve, absent};
  return {may_come ? ReadStep::Wait : ReadStep::Fail, 0};
}

Audit audit(const CopyView& served, const CopyView& other, bool same_bytes) {
  switch (other.state) {
    case CopyState::Unasked:
    case CopyState::NoAnswer:
    case CopyState::Unknown:
      return Audit::NoVerdict;
    case CopyState::Bad:
    case CopyState::Lost:
      return Audit::Damaged;
    case CopyState::Absent:
    case CopyState::Hole:
    case CopyState::Data:
      break;
  }
  if (served.version != other.version) return served.version > other.version ? Audit::OtherOlder : Audit::ServedOlder;
  const bool is_same = served.state == other.state && (served.state != CopyState::Data || same_bytes);
  return is_same ? Audit::Same : Audit::Damaged;
}

}  // namespace mendfs::client
