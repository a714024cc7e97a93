#include "dataserver/replication/old_blocks.h"

#include <catch2/catch.hpp>

#include "tests/unit/dataserver/replication/ring_fixture.h"

namespace mendfs::test {

TEST_CASE("a partial write to a block that is bad here is merged with the other copy", "[old_blocks]") {
  Ring ring;
  REQUIRE(ring.settle());
  REQUIRE(ring.write(5, 0, filled(kBlock, 'a')).ok());
  REQUIRE(sim::run(ring.world, ring.server(0).store->damage(5, {0, 3, 1}, store::DamageMode::Zero, 1)).ok());
  REQUIRE(ring.write(5, 0, filled(10, 'b'), 5).ok());
  CHECK(ring.read(0, 5, 0)->bytes == filled(5, 'a') + filled(10, 'b') + filled(kBlock - 15, 'a'));
  CHECK(ring.read(1, 5, 0)->bytes == ring.read(0, 5, 0)->bytes);
}

TEST_CASE("a block damaged before its write reached the other copy is not given up", "[old_blocks]") {
  Ring ring;
  REQUIRE(ring.settle());
  REQUIRE(ring.write(5, 0, filled(kBlock, 'a')).ok());
  ring.kill(1);
  std::optional<Result<Answer<WriteRequest>>> answer;
  const std::string bytes = filled(kBlock, 'b');
  WriteRequest request = ring.write_request(ring.file(5), 0, bytes);

  SECTION("while it is on its way") {
    Scope scope;
    scope.spawn(sim::detail::keep_result(ring.send(std::move(request), bytes, ring.soon()), &answer));
    ring.world.run_for(1s);
    REQUIRE(sim::run(ring.world, ring.server(0).store->damage(5, {0, 3, 1}, store::DamageMode::Flip, 1)).ok());
    CHECK(ring.write(5, 0, "c", 5).code() == ErrorCode::Unavailable);
    ring.start(1);
    REQUIRE(ring.world.run_until([&] { return answer.has_value(); }));
    CHECK(answer->ok());
    REQUIRE(ring.settle());
    REQUIRE(ring.write(5, 0, "c", 5).ok());
    CHECK(ring.read(0, 5, 0)->bytes == filled(5, 'b') + "c" + filled(kBlock - 6, 'b'));
  }
  SECTION("and forgotten: it was never acknowledged, so the older copy is right") {
    {
      Scope scope;
      scope.spawn(sim::detail::keep_result(ring.send(std::move(request), bytes, ring.soon()), &answer));
      ring.world.run_for(1s);
    }
    REQUIRE(sim::run(ring.world, ring.server(0).store->damage(5, {0, 3, 1}, store::DamageMode::Flip, 1)).ok());
    ring.kill(0);
    ring.start(0);
    ring.start(1);
    REQUIRE(ring.settle());
    REQUIRE(ring.write(5, 0, "c", 5).ok());
    CHECK(ring.read(0, 5, 0)->bytes == filled(5, 'a') + "c" + filled(kBlock - 6, 'a'));
  }
}

TEST_CASE("a damaged block that no other holder ever had is written on as if it had never been", "[old_blocks]") {
  Ring ring;
  REQUIRE(ring.settle());
  ring.kill(1);
  std::optional<Result<Answer<WriteRequest>>> answer;
  const std::string bytes = filled(kBlock, 'b');
  WriteRequest request = ring.write_request(ring.file(5), 0, bytes);
  {
    Scope scope;
    scope.spawn(sim::detail::keep_result(ring.send(std::move(request), bytes, ring.soon()), &answer));
    ring.world.run_for(1s);
  }
  REQUIRE(sim::run(ring.world, ring.server(0).store->damage(5, {0, 3, 1}, store::DamageMode::Flip, 1)).ok());
  ring.kill(0);
  ring.start(0);
  ring.start(1);
  REQUIRE(ring.settle());
  REQUIRE(ring.write(5, 0, "c", 5).ok());
  for (Slot slot : {0u, 1u})
    CHECK(ring.read(slot, 5, 0)->bytes == std::string(5, '\0') + "c" + std::string(kBlock - 6, '\0'));
}

}  // namespace mendfs::test
