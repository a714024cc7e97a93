#include "metaserver/service/change_feed.h"

#include <catch2/catch.hpp>
#include <optional>

#include "env/future.h"
#include "protocol/timing.h"
#include "tests/sim/world/world.h"

namespace mendfs::metaserver {
namespace {

using Answer = protocol::ChangesRequest::Answer;

constexpr SessionId kOurs{1, 1};
constexpr SessionId kTheirs{2, 2};
constexpr std::uint64_t kEpoch = 5;

protocol::Touched touched(InodeNumber inode) {
  protocol::Touched change;
  change.inodes.emplace_back();
  change.inodes.back().inode = inode;
  change.names = {{1, "name" + std::to_string(inode), inode}};
  return change;
}

struct Fixture {
  Fixture() : process(world.process("meta")), feed(process.env().loop) { feed.begin(kEpoch, 10); }
  static Task<void> ask(Fixture* self, SessionId session, std::uint64_t epoch, std::uint64_t since) {
    self->answer = co_await self->feed.wait(session, epoch, since);
  }
  void ask_as(SessionId session, std::uint64_t since, std::uint64_t epoch = kEpoch) {
    answer.reset();
    scope.spawn(ask(this, session, epoch, since));
  }
  sim::SimWorld world{1};
  sim::SimProcess& process;
  ChangeFeed feed;
  std::optional<Answer> answer;
  Scope scope;
};

}  // namespace

TEST_CASE("whoever asks hears at once what others have changed since", "[change_feed]") {
  Fixture f;
  f.feed.add(11, kTheirs, touched(100));
  f.feed.add(12, kOurs, touched(200));
  f.feed.add(13, SessionId{}, touched(300));
  f.ask_as(kOurs, 10);
  REQUIRE(f.answer);
  CHECK_FALSE(f.answer->unknown);
  CHECK(f.answer->up_to == 13);
  CHECK(f.answer->inodes == std::vector<InodeNumber>{100, 300});
  REQUIRE(f.answer->names.size() == 2);
  CHECK(f.answer->names[0] == protocol::NameState{1, "name100", 0});
  f.ask_as(kOurs, 11);
  REQUIRE(f.answer);
  CHECK(f.answer->inodes == std::vector<InodeNumber>{300});
}

TEST_CASE("a question waits for a change of somebody else", "[change_feed]") {
  Fixture f;
  f.ask_as(kOurs, 10);
  f.feed.add(11, kOurs, touched(100));
  f.world.run_for(std::chrono::milliseconds(100));
  CHECK_FALSE(f.answer);
  f.feed.add(12, kTheirs, touched(200));
  f.feed.add(13, kTheirs, touched(300));
  f.world.run_for(std::chrono::milliseconds(100));
  REQUIRE(f.answer);
  CHECK(f.answer->up_to == 13);
  CHECK(f.answer->inodes == std::vector<InodeNumber>{200, 300});
}

TEST_CASE("a question is answered in time when nothing happens", "[change_feed]") {
  Fixture f;
  f.ask_as(kOurs, 10);
  f.feed.add(11, kOurs, touched(100));
  f.world.run_for(timing::kChangesWaitMax + std::chrono::milliseconds(100));
  REQUIRE(f.answer);
  CHECK_FALSE(f.answer->unknown);
  CHECK(f.answer->up_to == 11);
  CHECK(f.answer->inodes.empty());
}

TEST_CASE("what is not remembered is said to be unknown", "[change_feed]") {
  Fixture f;
  SECTION("before this start of the metaserver") { f.ask_as(kOurs, 9); }
  SECTION("in another start") { f.ask_as(kOurs, 10, kEpoch - 1); }
  SECTION("from the future") { f.ask_as(kOurs, 11); }
  SECTION("too long ago") {
    for (std::uint64_t i = 11; i < 400'000; ++i) f.feed.add(i, kTheirs, touched(i));
    f.ask_as(kOurs, 10);
  }
  REQUIRE(f.answer);
  CHECK(f.answer->unknown);
  CHECK(f.answer->inodes.empty());
}

TEST_CASE("many changes come in several answers, none left out", "[change_feed]") {
  Fixture f;
  constexpr std::uint64_t kCount = 10'000;
  for (std::uint64_t i = 1; i <= kCount; ++i) f.feed.add(10 + i, kTheirs, touched(i));
  std::uint64_t since = 10;
  std::uint64_t expected = 1;
  while (since < 10 + kCount) {
    f.ask_as(kOurs, since);
    REQUIRE(f.answer);
    REQUIRE(f.answer->up_to > since);
    for (const InodeNumber inode : f.answer->inodes) REQUIRE(inode == expected++);
    since = f.answer->up_to;
  }
  CHECK(expected == kCount + 1);
}

TEST_CASE("numbers that are given again after a power cut are not taken for those that were lost", "[change_feed]") {
  Fixture before;
  for (std::uint64_t i = 11; i <= 14; ++i) before.feed.add(i, kTheirs, touched(i));
  before.ask_as(kOurs, 10);
  REQUIRE(before.answer);
  REQUIRE(before.answer->up_to == 14);

  // The next start finds the log up to 12, and makes other changes 13 to 16.
  Fixture f;
  f.feed.begin(kEpoch + 1, 12);
  for (std::uint64_t i = 13; i <= 16; ++i) f.feed.add(i, kTheirs, touched(i * 100));
  for (const std::uint64_t since : {std::uint64_t{12}, before.answer->up_to, std::uint64_t{16}}) {
    f.ask_as(kOurs, since, kEpoch);
    REQUIRE(f.answer);
    CHECK(f.answer->unknown);
    CHECK(f.answer->up_to == 16);
    CHECK(f.answer->inodes.empty());
  }
  f.ask_as(kOurs, 14, kEpoch + 1);
  REQUIRE(f.answer);
  CHECK_FALSE(f.answer->unknown);
  CHECK(f.answer->inodes == std::vector<InodeNumber>{1500, 1600});
}

}  // namespace mendfs::metaserver
