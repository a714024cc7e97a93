#include "dataserver/replication/write_window.h"

#include <catch2/catch.hpp>

#include "dataserver/replication/settled.h"

namespace mendfs::replication {
namespace {

const SessionId kOne{1, 1};
const SessionId kTwo{2, 2};

std::optional<Version> version_of(const WriteWindow& window, const WriteId& id, Slot range) {
  const std::optional<WriteWindow::Known> known = window.find(id, range);
  return known ? std::optional(known->version) : std::nullopt;
}

}  // namespace

TEST_CASE("a write is known by session, sequence and range until the client has its answer", "[write_window]") {
  WriteWindow window;
  window.remember_whole({kOne, 5}, 0, {1, 10});
  window.remember_whole({kOne, 6}, 0, {1, 11});
  window.remember_whole({kOne, 6}, 1, {4, 3});
  CHECK(version_of(window, {kOne, 5}, 0) == Version{1, 10});
  CHECK(version_of(window, {kOne, 6}, 1) == Version{4, 3});
  CHECK_FALSE(window.find({kOne, 5}, 1));
  CHECK_FALSE(window.find({kTwo, 5}, 0));
  window.forget_below(kOne, 6);
  CHECK_FALSE(window.find({kOne, 5}, 0));
  CHECK(version_of(window, {kOne, 6}, 0) == Version{1, 11});
  window.forget(kOne);
  CHECK_FALSE(window.find({kOne, 6}, 0));
  CHECK(window.session_count() == 0);
}

TEST_CASE("what has been answered stays known as answered, and never comes back", "[write_window]") {
  WriteWindow window;
  CHECK_FALSE(window.is_answered({kOne, 5}));
  window.forget_below(kOne, 6);
  CHECK(window.is_answered({kOne, 5}));
  CHECK_FALSE(window.is_answered({kOne, 6}));
  CHECK_FALSE(window.is_answered({kTwo, 5}));
  // A message that was overtaken knows less.
  window.forget_below(kOne, 3);
  CHECK(window.is_answered({kOne, 5}));
  window.remember_seen({kOne, 5}, 0, {1, 10});
  window.remember_whole({kOne, 4}, 0, {1, 9});
  CHECK(window.write_count(kOne) == 0);
}

TEST_CASE("a write that was seen is not taken for whole, and one that is whole stays so", "[write_window]") {
  WriteWindow window;
  window.remember_seen({kOne, 5}, 0, {1, 10});
  CHECK_FALSE(window.find({kOne, 5}, 0)->is_whole);
  window.remember_seen({kOne, 5}, 0, {2, 1});
  window.remember_seen({kOne, 5}, 0, {1, 10});
  CHECK(version_of(window, {kOne, 5}, 0) == Version{2, 1});
  window.remember_whole({kOne, 5}, 0, {3, 1});
  window.remember_seen({kOne, 5}, 0, {3, 2});
  CHECK(window.find({kOne, 5}, 0)->is_whole);
  CHECK(version_of(window, {kOne, 5}, 0) == Version{3, 1});
}

TEST_CASE("the window is bounded and forgets the oldest first", "[write_window]") {
  WriteWindow window;
  for (std::uint64_t session = 0; session < WriteWindow::kSessionsMax; ++session)
    window.remember_seen({SessionId{session, 0}, 1}, 0, {1, 1});
  window.remember_seen({SessionId{0, 0}, 2}, 0, {1, 2});
  window.forget_below(SessionId{1, 0}, 1);
  window.remember_seen({SessionId{UINT64_MAX, 0}, 1}, 0, {1, 1});
  CHECK(window.session_count() == WriteWindow::kSessionsMax);
  CHECK(window.find({SessionId{0, 0}, 2}, 0));
  CHECK(window.find({SessionId{1, 0}, 1}, 0));
  CHECK_FALSE(window.find({SessionId{2, 0}, 1}, 0));
  for (std::uint64_t sequence = 0; sequence < WriteWindow::kWritesPerSessionMax + 10; ++sequence)
    window.remember_seen({kOne, sequence}, 0, {1, sequence});
  CHECK(window.write_count(kOne) == WriteWindow::kWritesPerSessionMax);
  CHECK_FALSE(window.find({kOne, 9}, 0));
  CHECK(window.find({kOne, 10}, 0));
}

TEST_CASE("a saved window is read back, as writes seen; nonsense adds nothing", "[write_window]") {
  WriteWindow window;
  window.remember_whole({kOne, 5}, 0, {1, 10});
  window.remember_whole({kTwo, 9}, 2, {3, 1});
  const std::string saved = window.save();
  WriteWindow loaded;
  loaded.load(saved);
  CHECK(version_of(loaded, {kOne, 5}, 0) == Version{1, 10});
  CHECK(version_of(loaded, {kTwo, 9}, 2) == Version{3, 1});
  CHECK_FALSE(loaded.find({kOne, 5}, 0)->is_whole);
  CHECK(loaded.save() == saved);
  WriteWindow empty;
  for (std::size_t size = 0; size < saved.size(); ++size) empty.load(saved.substr(0, size));
  CHECK(empty.session_count() == 0);
}

TEST_CASE("settled is below the oldest version still on its way", "[settled]") {
  Settled settled;
  settled.begin(7);
  CHECK(settled.value() == Version{7, 0});
  const Version first = settled.give();
  const Version second = settled.give();
  const Version third = settled.give();
  CHECK(first < second);
  CHECK(settled.value() == Version{7, 0});
  settled.reached_all(second);
  CHECK(settled.value() == Version{7, 0});
  settled.reached_all(Version{6, first.count});
  CHECK(settled.value() == Version{7, 0});
  CHECK(settled.is_outstanding(first));
  CHECK_FALSE(settled.is_outstanding(second));
  settled.reached_all(first);
  CHECK(settled.value() == second);
  settled.reached_all(third);
  CHECK(settled.value() == third);
}

}  // namespace mendfs::replication
