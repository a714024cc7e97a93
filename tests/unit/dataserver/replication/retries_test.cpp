#include "dataserver/replication/retries.h"

#include <catch2/catch.hpp>

#include "tests/unit/dataserver/replication/ring_fixture.h"

namespace mendfs::test {
namespace {

constexpr InodeNumber kFile = 5;
const std::string kOld = filled(kBlock, 'o');
const std::string kNew = filled(kBlock, 'n');

/// A run of one block of a write that a primary had begun to store when it stopped.
Run stored_part(const WriteId& writer, BlockIndex block, Version version) {
  Run run;
  run.header.inode = kFile;
  run.header.layout = layout_of(3);
  run.header.blocks = {block, 3, 1};
  run.header.version = version;
  run.header.writer = writer;
  run.header.last_size = kBlock;
  run.data = Buffer::copy_of(bytes_of(kNew));
  run.digests = digests_of(run.data, kBlock);
  return run;
}

/// Blocks 0 and 6, in two parts, so that they are stored as two runs.
struct TwoBlocks {
  explicit TwoBlocks(Ring& ring) : request(ring.write_request(ring.file(kFile), 0, kNew)) {
    request.parts.push_back(request.parts.front());
    request.parts.back().blocks.first = 6;
  }
  Result<Answer<WriteRequest>> send(Ring& ring, bool retry) {
    WriteRequest copy = request;
    copy.retry = retry;
    return sim::run(ring.world, ring.send(std::move(copy), kNew + kNew, ring.soon()));
  }
  WriteRequest request;
};

void check_both_copies(Ring& ring, BlockIndex block, const std::string& bytes) {
  for (Slot slot : {0u, 1u}) {
    const Result<BlockRead> read = ring.read(slot, kFile, block);
    REQUIRE(read.ok());
    CAPTURE(slot, block);
    CHECK(read->state == BlockState::Data);
    CHECK(read->verified);
    CHECK(read->bytes == bytes);
  }
  CHECK(ring.read(0, kFile, block)->version == ring.read(1, kFile, block)->version);
}

void restart_primary(Ring& ring) {
  ring.kill(0);
  ring.start(0);
  REQUIRE(ring.settle());
}

}  // namespace

TEST_CASE("a message that comes after its answer was had changes nothing", "[retries]") {
  Ring ring;
  REQUIRE(ring.settle());
  WriteRequest first = ring.write_request(ring.file(kFile), 0, kOld);
  REQUIRE(sim::run(ring.world, ring.send(first, kOld, ring.soon())).ok());
  WriteRequest second = ring.write_request(ring.file(kFile), 0, kNew);
  second.answered_below = second.id.sequence;
  REQUIRE(sim::run(ring.world, ring.send(second, kNew, ring.soon())).ok());
  for (bool retry : {false, true}) {
    first.retry = retry;
    CHECK(sim::run(ring.world, ring.send(first, kOld, ring.soon())).code() == ErrorCode::Refused);
  }
  check_both_copies(ring, 0, kNew);
}

TEST_CASE("a message whose answer comes over another connection while it waits changes nothing", "[retries]") {
  Ring ring;
  REQUIRE(ring.settle());
  WriteRequest first = ring.write_request(ring.file(kFile), 0, kOld);
  WriteRequest second = ring.write_request(ring.file(kFile), 0, kNew);
  second.answered_below = second.id.sequence;
  std::optional<Result<Answer<WriteRequest>>> late;
  std::optional<Result<Answer<WriteRequest>>> later;
  Scope scope;
  ring.server(0).replica->grant_writes_until(ring.process(0).loop().now());
  scope.spawn(sim::detail::keep_result(ring.send(first, kOld, ring.soon()), &late));
  ring.world.run_for(100ms);
  // The client has been told by now, and goes on: this one is still at its wait for a grant.
  scope.spawn(sim::detail::keep_result(ring.send(second, kNew, ring.soon()), &later));
  ring.world.run_for(100ms);
  ring.server(0).replica->grant_writes_until(ring.process(0).loop().now() + 24h);
  REQUIRE(ring.world.run_until([&] { return late.has_value() && later.has_value(); }));
  CHECK(late->code() == ErrorCode::Refused);
  CHECK(later->ok());
  check_both_copies(ring, 0, kNew);
}

TEST_CASE("a retry of a write that was torn is applied again", "[retries]") {
  Ring ring;
  REQUIRE(ring.settle());
  for (BlockIndex block : {0u, 6u}) REQUIRE(ring.write(kFile, block, kOld).ok());
  TwoBlocks write(ring);
  const Version torn{1, 100};

  SECTION("by a power cut of the primary, before anything was forwarded") {
    const Run run = stored_part(write.request.id, 0, torn);
    REQUIRE(ring.server(0).store->append(std::span(&run, 1), store::SpaceUse::Normal).ok());
  }
  SECTION("on the copy alone") {
    Run run = stored_part(write.request.id, 0, torn);
    run.header.copy = 1;
    REQUIRE(ring.server(1).store->append(std::span(&run, 1), store::SpaceUse::Reserve).ok());
    ring.kill(1);
    ring.start(1);
  }
  restart_primary(ring);
  const Result<Answer<WriteRequest>> retried = write.send(ring, true);
  REQUIRE(retried.ok());
  CHECK(retried->reply.version > torn);
  check_both_copies(ring, 0, kNew);
  check_both_copies(ring, 6, kNew);
}

TEST_CASE("a retry of a write that is damaged where it was stored is applied again", "[retries]") {
  Ring ring;
  REQUIRE(ring.settle());
  for (BlockIndex block : {0u, 6u}) REQUIRE(ring.write(kFile, block, kOld).ok());
  TwoBlocks write(ring);
  for (BlockIndex block : {0u, 6u}) {
    const Run run = stored_part(write.request.id, block, {1, 100});
    REQUIRE(ring.server(0).store->append(std::span(&run, 1), store::SpaceUse::Normal).ok());
  }
  REQUIRE(sim::run(ring.world, ring.server(0).store->damage(kFile, {6, 3, 1}, store::DamageMode::Flip, 1)).ok());
  restart_primary(ring);
  REQUIRE(write.send(ring, true).ok());
  check_both_copies(ring, 0, kNew);
  check_both_copies(ring, 6, kNew);
}

TEST_CASE("a retry of a write whose copy is gone from the other holder is applied again", "[retries]") {
  Ring ring;
  REQUIRE(ring.settle());
  TwoBlocks write(ring);
  const Result<Answer<WriteRequest>> first = write.send(ring, false);
  REQUIRE(first.ok());
  restart_primary(ring);
  REQUIRE(sim::run(ring.world, ring.server(1).store->damage(kFile, {6, 3, 1}, store::DamageMode::Flip, 1)).ok());
  const Result<Answer<WriteRequest>> retried = write.send(ring, true);
  REQUIRE(retried.ok());
  CHECK(retried->reply.version > first->reply.version);
  check_both_copies(ring, 6, kNew);
}

TEST_CASE("a retry of a write that is whole on all copies is answered, and is durable then", "[retries]") {
  Ring ring;
  REQUIRE(ring.settle());
  TwoBlocks write(ring);
  const Result<Answer<WriteRequest>> first = write.send(ring, false);
  REQUIRE(first.ok());
  SECTION("by a new process of the primary") { restart_primary(ring); }
  SECTION("by the same process") {}
  const Result<Answer<WriteRequest>> retried = write.send(ring, true);
  REQUIRE(retried.ok());
  CHECK(retried->reply.version == first->reply.version);
  REQUIRE(retried->reply.holders.size() == 2);
  for (const HolderPosition& holder : retried->reply.holders) {
    // What a client asks for at its next fsync.
    CHECK(holder.position == ring.server(holder.slot).store->position());
    CHECK(holder.position == ring.server(holder.slot).store->durable());
  }
}

TEST_CASE("a retry that meets a block written anew by a later term is applied again", "[retries]") {
  Ring ring;
  REQUIRE(ring.settle());
  for (BlockIndex block : {0u, 6u}) REQUIRE(ring.write(kFile, block, kOld).ok());
  TwoBlocks write(ring);
  const Run run = stored_part(write.request.id, 0, {1, 100});
  REQUIRE(ring.server(0).store->append(std::span(&run, 1), store::SpaceUse::Normal).ok());
  restart_primary(ring);
  // Merged with the old block, so what the torn write had for it is in neither version.
  REQUIRE(ring.write(kFile, 6, "other", 0).ok());
  REQUIRE(write.send(ring, true).ok());
  check_both_copies(ring, 6, kNew);
}

}  // namespace mendfs::test
