#include "dataserver/replication/repairer.h"

#include <catch2/catch.hpp>

#include "tests/unit/dataserver/replication/ring_fixture.h"

namespace mendfs::test {

TEST_CASE("repair mends a flipped bit from the other copy, once", "[repairer]") {
  for (Slot damaged : {0u, 1u}) {
    Ring ring;
    REQUIRE(ring.settle());
    REQUIRE(ring.write(5, 0, filled(3 * kBlock, 'a')).ok());
    REQUIRE(sim::run(ring.world, ring.server(damaged).store->damage(5, {3, 3, 1}, store::DamageMode::Flip, 1)).ok());
    CHECK(ring.read(damaged, 5, 3, ReadMode::Digest)->state == BlockState::Bad);
    RepairRequest request;
    request.file = ring.file(5);
    request.blocks.push_back({0, 3, 3});
    for (std::uint64_t expected : {1u, 0u}) {
      auto answer = sim::run(ring.world, ring.channel(damaged).call(request, std::vector<Buffer>(), ring.soon()));
      REQUIRE(answer.ok());
      CHECK(answer->reply.repaired == expected);
    }
    CHECK(ring.read(damaged, 5, 3, ReadMode::Digest)->state == BlockState::Data);
    CHECK(ring.read(damaged, 5, 3)->bytes == filled(kBlock, 'a'));
    CHECK(ring.server(damaged).replica->status().blocks_mended == 1);
  }
}

TEST_CASE("a block that is bad on both copies stays bad and is not invented", "[repairer]") {
  Ring ring;
  REQUIRE(ring.settle());
  REQUIRE(ring.write(5, 0, filled(kBlock, 'a')).ok());
  for (Slot slot : {0u, 1u})
    REQUIRE(sim::run(ring.world, ring.server(slot).store->damage(5, {0, 3, 1}, store::DamageMode::Flip, 1)).ok());
  RepairRequest request;
  request.file = ring.file(5);
  request.blocks.push_back({0, 3, 1});
  auto answer = sim::run(ring.world, ring.channel(0).call(request, std::vector<Buffer>(), ring.soon()));
  REQUIRE(answer.ok());
  CHECK(answer->reply.repaired == 0);
  CHECK(ring.read(0, 5, 0, ReadMode::Digest)->state == BlockState::Bad);
  CHECK(ring.write(5, 0, filled(10, 'b'), 5).code() == ErrorCode::Io);
  // A write over the whole block heals it.
  REQUIRE(ring.write(5, 0, filled(kBlock, 'c')).ok());
  CHECK(ring.read(0, 5, 0, ReadMode::Digest)->state == BlockState::Data);
}

}  // namespace mendfs::test
