#include "dataserver/replication/sync_gather.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <optional>

#include "protocol/timing.h"
#include "tests/unit/dataserver/replication/ring_fixture.h"

namespace mendfs::test {
namespace {

using replication::SyncGather;
using timing::kSyncGather;

constexpr SessionId kWriter{1, 2};

/// When each part that was brought was let go.
struct Gathering {
  Gathering() : process(world.process("data0")), gather(process.loop()) {}

  void bring(Slot range, std::vector<Slot> expected, InodeNumber inode = 5) {
    ends.emplace_back();
    scope.spawn(wait(this, ends.size() - 1, inode, range, std::move(expected)));
  }
  static Task<void> wait(Gathering* self, std::size_t index, InodeNumber inode, Slot range,
                         std::vector<Slot> expected) {
    co_await self->gather.gather(kWriter, inode, range, std::move(expected));
    self->ends[index] = self->world.now();
  }

  sim::SimWorld world{1};
  sim::SimProcess& process;
  SyncGather gather;
  std::vector<std::optional<Time>> ends;
  Scope scope;
};

}  // namespace

TEST_CASE("a part of a synced write waits for the others that come here, and no longer", "[sync_gather]") {
  Gathering parts;
  const Time begin = parts.world.now();
  SECTION("none is to come") {
    parts.bring(0, {0});
    CHECK(parts.ends[0] == begin);
  }
  SECTION("a writer that does not say") {
    parts.bring(0, {});
    CHECK(parts.ends[0] == begin);
  }
  SECTION("one comes later") {
    parts.bring(3, {0, 3});
    parts.world.run_for(kSyncGather / 2);
    CHECK_FALSE(parts.ends[0]);
    parts.bring(0, {0, 3});
    parts.world.run_for(Duration(1));
    CHECK(parts.ends[1] == begin + kSyncGather / 2);
    CHECK(parts.ends[0] == parts.ends[1]);
    // The next write begins anew.
    parts.bring(0, {0, 3});
    CHECK_FALSE(parts.ends[2]);
  }
  SECTION("one of another file comes") {
    parts.bring(3, {0, 3});
    parts.bring(0, {0, 3}, 6);
    parts.world.run_for(kSyncGather / 2);
    CHECK_FALSE(parts.ends[0]);
  }
  SECTION("none comes") {
    parts.bring(3, {0, 3});
    parts.world.run_for(2 * kSyncGather);
    CHECK(parts.ends[0] == begin + kSyncGather);
    parts.bring(0, {0, 3});
    CHECK_FALSE(parts.ends[1]);
  }
}

TEST_CASE("all that a server holds of a synced write is written out once", "[sync_gather]") {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    Ring ring(3, seed);
    REQUIRE(ring.settle());
    ring.world.run_for(2 * timing::kDataSyncEvery);
    for (Slot slot = 0; slot < 3; ++slot) ring.process(slot).disk().record_operations(true);
    const std::string bytes = filled(kBlock, 'd');
    std::vector<std::optional<Result<Answer<WriteRequest>>>> answers(3);
    Scope scope;
    for (BlockIndex block = 0; block < 3; ++block) {
      WriteRequest request = ring.write_request(ring.file(5), block, bytes);
      request.durable = true;
      request.sent_to = {0, 1, 2};
      scope.spawn(sim::detail::keep_result(ring.send(std::move(request), bytes, ring.soon()), &answers[block]));
    }
    REQUIRE(ring.world.run_until([&] {
      return std::all_of(answers.begin(), answers.end(), [](const auto& answer) { return answer.has_value(); });
    }));
    INFO("seed " << seed);
    for (Slot slot = 0; slot < 3; ++slot) {
      REQUIRE(answers[slot]->ok());
      const std::vector<std::string> operations = ring.process(slot).disk().take_operations();
      const auto is_sync = [](const std::string& operation) { return operation.starts_with("sync segments/"); };
      CHECK(std::count_if(operations.begin(), operations.end(), is_sync) == 1);
      CHECK(ring.server(slot).store->durable() >= ring.server(slot).store->position());
    }
  }
}

}  // namespace mendfs::test
