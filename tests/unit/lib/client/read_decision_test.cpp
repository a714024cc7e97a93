#include "client/read_decision.h"

#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <vector>

namespace mendfs::client {
namespace {

const std::vector<CopyState> kStates{CopyState::Unasked, CopyState::NoAnswer, CopyState::Unknown, CopyState::Bad,
                                     CopyState::Lost,    CopyState::Absent,   CopyState::Hole,    CopyState::Data};

CopyView view_of(CopyState state, std::uint64_t count = 1) {
  CopyView view{state, {1, count}};
  if (state == CopyState::Absent) view.version = {};
  return view;
}

/// What the promises say, worked out another way than decide_read() does.
ReadStep expected_step(CopyState a, CopyState b) {
  const std::array<CopyState, 2> both{a, b};
  const auto some = [&](CopyState state) { return std::find(both.begin(), both.end(), state) != both.end(); };
  const bool is_lost = some(CopyState::Lost);
  if (some(CopyState::Data) || some(CopyState::Hole)) return ReadStep::Serve;
  if (some(CopyState::Unasked)) return ReadStep::Ask;
  if (some(CopyState::Absent) && !is_lost) return ReadStep::Serve;
  if (some(CopyState::NoAnswer) || some(CopyState::Unknown)) return ReadStep::Wait;
  return ReadStep::Fail;
}

TEST_CASE("every pair of copies leads to the step that the promises name", "[client]") {
  for (const CopyState a : kStates) {
    for (const CopyState b : kStates) {
      const std::vector<CopyView> copies{view_of(a), view_of(b)};
      const ReadDecision decision = decide_read(copies);
      CAPTURE(static_cast<int>(a), static_cast<int>(b));
      CHECK(decision.step == expected_step(a, b));
      const CopyState chosen = copies[decision.copy].state;
      if (decision.step == ReadStep::Serve)
        CHECK((chosen == CopyState::Data || chosen == CopyState::Hole || chosen == CopyState::Absent));
      if (decision.step == ReadStep::Ask) CHECK(chosen == CopyState::Unasked);
    }
  }
}

TEST_CASE("a read never fails while a copy could still be good", "[client]") {
  for (const CopyState a : kStates) {
    for (const CopyState b : kStates) {
      const std::vector<CopyView> copies{view_of(a), view_of(b)};
      if (decide_read(copies).step != ReadStep::Fail) continue;
      for (const CopyView& copy : copies)
        CHECK((copy.state == CopyState::Bad || copy.state == CopyState::Lost || copy.state == CopyState::Absent));
    }
  }
}

TEST_CASE("an audit names the copy to mend", "[client]") {
  const CopyView data = view_of(CopyState::Data, 5);
  CHECK(audit(data, data, true) == Audit::Same);
  CHECK(audit(data, data, false) == Audit::Damaged);
  CHECK(audit(data, view_of(CopyState::Data, 4), false) == Audit::OtherOlder);
  CHECK(audit(data, view_of(CopyState::Data, 6), false) == Audit::ServedOlder);
  CHECK(audit(data, view_of(CopyState::Absent), false) == Audit::OtherOlder);
  CHECK(audit(view_of(CopyState::Absent), data, false) == Audit::ServedOlder);
  CHECK(audit(view_of(CopyState::Absent), view_of(CopyState::Absent), false) == Audit::Same);
  CHECK(audit(view_of(CopyState::Hole, 5), view_of(CopyState::Hole, 5), false) == Audit::Same);
  CHECK(audit(view_of(CopyState::Hole, 5), data, false) == Audit::Damaged);
  CHECK(audit(data, view_of(CopyState::Bad, 5), false) == Audit::Damaged);
  CHECK(audit(data, view_of(CopyState::Lost, 5), false) == Audit::Damaged);
  for (const CopyState state : {CopyState::Unasked, CopyState::NoAnswer, CopyState::Unknown})
    CHECK(audit(data, view_of(state), false) == Audit::NoVerdict);
}

}  // namespace
}  // namespace mendfs::client
