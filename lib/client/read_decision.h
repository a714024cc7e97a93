// Which copy of a block a read gives out, and which copy it has mended. Pure; any thread.
#pragma once

#include <cstdint>
#include <span>

#include "block/types.h"

namespace mendfs::client {

/// What is known of one copy of a block.
enum class CopyState : std::uint8_t {
  Unasked,
  NoAnswer,  // its server is away, or was too slow
  Unknown,   // its server is not complete for the range
  Bad,       // damaged: its server says so, or the bytes do not have the digest that came with them
  Lost,      // no good copy existed any more when this was recorded
  Absent,    // never written, says a complete server
  Hole,
  Data,  // bytes that verified
};

struct CopyView {
  CopyState state = CopyState::Unasked;
  Version version;  // of Bad: what the index names
};

enum class ReadStep : std::uint8_t {
  Serve,  // this copy: its bytes, or zeros for Absent and Hole
  Ask,    // this copy, not asked yet
  Wait,   // a copy that could be good cannot be had now
  Fail,   // every holder has answered and no good copy is left
};

struct ReadDecision {
  ReadStep step = ReadStep::Wait;
  std::uint32_t copy = 0;
  bool operator==(const ReadDecision&) const = default;
};

/// A verified copy of a complete server is given out at once. Its version may be below what a bad copy's index names:
/// a write is acknowledged only when all copies have it, so what one complete holder never had was never acknowledged.
/// Absent does not overrule Lost: something was there. Nor is it believed before the other copies were asked: a record
/// that vanished from one server must not be read as zeros.
ReadDecision decide_read(std::span<const CopyView> copies);

enum class Audit : std::uint8_t {
  Same,
  NoVerdict,    // away, incomplete, or not asked
  Damaged,      // the other copy: its server says so, or it is something else under the same version
  OtherOlder,   // or missing
  ServedOlder,  // than the other copy
};

/// Compares the copy that was given out with another one. `same_bytes`: whether they have them, if both are Data.
Audit audit(const CopyView& served, const CopyView& other, bool same_bytes);

}  // namespace mendfs::client
