#include "dataserver/rebuild/rebuild.h"

#include <catch2/catch.hpp>

#include "protocol/timing.h"
#include "tests/unit/dataserver/replication/ring_fixture.h"

namespace mendfs::test {
namespace {

using replication::Completeness;

/// `known`: whether the metaserver knows of each start at once.
void attach_rebuild(Ring& ring, bool known = true) {
  ring.attach = [known](Env& env, store::BlockStore& store, replication::Replica& replica) -> std::shared_ptr<void> {
    auto rebuild = std::make_shared<rebuild::Rebuild>(env, store, replica);
    if (known) rebuild->note_known();
    return rebuild;
  };
  for (Slot slot = 0; slot < 3; ++slot) {
    ring.kill(slot);
    ring.start(slot);
  }
}

rebuild::Rebuild& rebuild_of(Ring& ring, Slot slot) {
  return *std::static_pointer_cast<rebuild::Rebuild>(ring.server(slot).attached);
}

void wipe(Ring& ring, Slot slot) {
  ring.kill(slot);
  ring.process(slot).wipe();
}

/// Content of a block that only this block has.
std::string content(InodeNumber inode, BlockIndex block) {
  std::string text = std::to_string(inode) + "/" + std::to_string(block) + " ";
  while (text.size() < kBlock) text += text;
  return text.substr(0, kBlock);
}

void write_files(Ring& ring, InodeNumber file_count, BlockIndex block_count) {
  for (InodeNumber inode = 10; inode < 10 + file_count; ++inode)
    for (BlockIndex block = 0; block < block_count; ++block)
      REQUIRE(ring.write(inode, block, content(inode, block)).ok());
}

void check_files(Ring& ring, Slot slot, InodeNumber file_count, BlockIndex block_count) {
  for (InodeNumber inode = 10; inode < 10 + file_count; ++inode)
    for (BlockIndex block = 0; block < block_count; ++block) {
      const std::vector<Slot> holders = holders_of(static_cast<Slot>(block % 3), 3, 2);
      if (std::find(holders.begin(), holders.end(), slot) == holders.end()) continue;
      Result<BlockRead> read = ring.read(slot, inode, block);
      REQUIRE(read.ok());
      CHECK(read->state == BlockState::Data);
      CHECK(read->bytes == content(inode, block));
      CHECK(read->verified);
    }
}

TEST_CASE("an emptied dataserver fills itself again", "[rebuild]") {
  Ring ring;
  attach_rebuild(ring);
  REQUIRE(ring.settle());
  write_files(ring, 5, 12);
  wipe(ring, 1);
  ring.start(1, false);
  REQUIRE(ring.until_complete(1));
  REQUIRE(ring.settle());
  check_files(ring, 1, 5, 12);
  // Absent is an answer again.
  CHECK(ring.read(1, 99, 0)->state == BlockState::Absent);
  for (const RangeProgress& progress : rebuild_of(ring, 1).progress()) CHECK(progress.complete);
}

TEST_CASE("an emptied dataserver takes nothing from others before the metaserver knows of it", "[rebuild]") {
  Ring ring;
  attach_rebuild(ring, false);
  REQUIRE(ring.settle());
  write_files(ring, 1, 12);
  wipe(ring, 1);
  ring.start(1, false);
  ring.world.run_for(20s);
  CHECK(ring.read(1, 10, 1)->state == BlockState::Unknown);
  rebuild_of(ring, 1).note_known();
  REQUIRE(ring.until_complete(1));
  check_files(ring, 1, 1, 12);
}

TEST_CASE("while it is rebuilt a dataserver does not know, and takes writes", "[rebuild]") {
  Ring ring;
  attach_rebuild(ring);
  REQUIRE(ring.settle());
  write_files(ring, 1, 6);
  wipe(ring, 1);
  // It can shake hands with everybody, but its source of range 0 hangs before it can stream.
  ring.attach = nullptr;
  ring.start(1, false);
  REQUIRE(ring.settle());
  CHECK(ring.read(1, 10, 0)->state == BlockState::Unknown);
  CHECK(ring.read(1, 10, 1)->state == BlockState::Unknown);
  // Block 1 is its own: part of it is merged with the bytes of the other holder.
  REQUIRE(ring.write(10, 1, "new", 0).ok());
  const std::string expected = "new" + content(10, 1).substr(3);
  CHECK(ring.read(2, 10, 1)->bytes == expected);
  // Block 0 belongs to slot 0, which forwards it.
  REQUIRE(ring.write(10, 0, "new", 0).ok());
  CHECK(ring.read(0, 10, 0)->bytes == "new" + content(10, 0).substr(3));
}

TEST_CASE("a rebuild that is killed again and again ends complete", "[rebuild]") {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    Ring ring(3, seed);
    attach_rebuild(ring);
    REQUIRE(ring.settle());
    write_files(ring, 8, 12);
    wipe(ring, 1);
    ring.start(1, false);
    for (int kill = 0; kill < 4; ++kill) {
      ring.world.run_for(Duration(ring.world.random().below(20'000'000)));
      const Slot victim = kill % 2 == 0 ? 1 : 0;
      ring.kill(victim);
      ring.start(victim, victim != 1);
    }
    REQUIRE(ring.until_complete(1));
    REQUIRE(ring.settle());
    check_files(ring, 1, 8, 12);
  }
}

TEST_CASE("writes during a rebuild are all there afterwards", "[rebuild]") {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    Ring ring(3, seed);
    attach_rebuild(ring);
    REQUIRE(ring.settle());
    write_files(ring, 4, 9);
    wipe(ring, 1);
    ring.start(1, false);
    REQUIRE(ring.settle());
    for (BlockIndex block = 0; block < 9; block += 2) REQUIRE(ring.write(11, block, content(11, block + 100)).ok());
    REQUIRE(ring.until_complete(1));
    for (BlockIndex block = 0; block < 9; block += 2)
      for (Slot slot : holders_of(static_cast<Slot>(block % 3), 3, 2))
        CHECK(ring.read(slot, 11, block)->bytes == content(11, block + 100));
  }
}

TEST_CASE("what the only source cannot verify is lost after a rebuild, and nothing else", "[rebuild]") {
  Ring ring;
  attach_rebuild(ring);
  REQUIRE(ring.settle());
  write_files(ring, 1, 12);
  // Range 0: slots 0 and 1.
  REQUIRE(sim::run(ring.world, ring.server(0).store->damage(10, {3, 3, 1}, store::DamageMode::Flip, 1)).ok());
  wipe(ring, 1);
  ring.start(1, false);
  REQUIRE(ring.until_complete(1));
  REQUIRE(ring.settle());
  CHECK(ring.read(1, 10, 3)->state == BlockState::Lost);
  CHECK(ring.read(1, 10, 0)->bytes == content(10, 0));
  CHECK(ring.read(1, 10, 6)->bytes == content(10, 6));
}

TEST_CASE("two neighbours wiped together lose their common range, visibly", "[rebuild]") {
  Ring ring;
  attach_rebuild(ring);
  REQUIRE(ring.settle());
  write_files(ring, 2, 6);
  wipe(ring, 0);
  wipe(ring, 1);
  ring.start(0, false);
  ring.start(1, false);
  // Range 0 is on slots 0 and 1 only; 2 and 1 have their other holder on slot 2.
  REQUIRE(ring.world.run_until([&] {
    return ring.server(0).replica && ring.server(1).replica &&
           ring.server(0).replica->node().completeness(0) == Completeness::NoSource &&
           ring.server(1).replica->node().completeness(0) == Completeness::NoSource &&
           ring.server(1).replica->node().is_complete(1) && ring.server(0).replica->node().is_complete(2);
  }));
  REQUIRE(ring.world.run_until([&] { return ring.channel(0).is_up() && ring.channel(1).is_up(); }));
  CHECK(ring.read(0, 10, 0)->state == BlockState::Lost);
  CHECK(ring.read(1, 10, 0)->state == BlockState::Lost);
  CHECK(ring.write(10, 0, content(10, 0)).code() == ErrorCode::Unavailable);

  HeartbeatRequest declared;
  declared.lost.push_back({0, 50});
  for (Slot slot : {0u, 1u}) {
    HeartbeatRequest request = declared;
    REQUIRE(sim::run(ring.world, rebuild_of(ring, slot).note_heartbeat(std::move(request))).ok());
  }
  REQUIRE(ring.until_complete(0));
  REQUIRE(ring.until_complete(1));
  REQUIRE(ring.settle());
  CHECK(ring.read(0, 10, 0)->state == BlockState::Lost);
  // Files made since are complete by birth.
  CHECK(ring.read(0, 51, 0)->state == BlockState::Absent);
  CHECK(ring.write(10, 0, "part", 3).code() == ErrorCode::Io);
  REQUIRE(ring.write(10, 0, content(10, 7)).ok());
  CHECK(ring.read(1, 10, 0)->bytes == content(10, 7));
}

TEST_CASE("a machine that lost power catches up and then knows again", "[rebuild]") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Ring ring(3, seed);
    attach_rebuild(ring);
    REQUIRE(ring.settle());
    write_files(ring, 3, 9);
    const Slot victim = static_cast<Slot>(seed % 3);
    ring.cut_power(victim);
    ring.start(victim);
    REQUIRE(ring.until_complete(victim));
    REQUIRE(ring.settle());
    check_files(ring, victim, 3, 9);
  }
}

TEST_CASE("after a power cut of all machines both copies agree and what was synced is there", "[rebuild]") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Ring ring(3, seed);
    attach_rebuild(ring);
    REQUIRE(ring.settle());
    write_files(ring, 2, 9);
    ring.world.run_for(6s);
    REQUIRE(ring.write(30, 0, content(30, 0)).ok());
    for (Slot slot = 0; slot < 3; ++slot) ring.cut_power(slot);
    for (Slot slot = 0; slot < 3; ++slot) ring.start(slot);
    for (Slot slot = 0; slot < 3; ++slot) REQUIRE(ring.until_complete(slot));
    REQUIRE(ring.settle());
    for (Slot slot = 0; slot < 3; ++slot) check_files(ring, slot, 2, 9);
    CHECK(ring.read(0, 30, 0)->version == ring.read(1, 30, 0)->version);
  }
}

TEST_CASE("a server killed without a reboot serves at once, with all others gone", "[rebuild]") {
  Ring ring;
  attach_rebuild(ring);
  REQUIRE(ring.settle());
  write_files(ring, 1, 3);
  for (Slot slot = 0; slot < 3; ++slot) ring.kill(slot);
  REQUIRE(ring.world.run_until([&] { return !ring.channel(0).is_up(); }));
  ring.start(0);
  REQUIRE(ring.world.run_until([&] { return ring.channel(0).is_up(); }));
  CHECK(ring.read(0, 10, 0)->bytes == content(10, 0));
  CHECK(ring.read(0, 77, 0)->state == BlockState::Absent);
}

TEST_CASE("an old copy of a store is complete for nothing, and is brought up to date", "[rebuild]") {
  Ring ring;
  attach_rebuild(ring);
  REQUIRE(ring.settle());
  write_files(ring, 1, 6);
  HeartbeatRequest request;
  request.confirmed_term = 1000;
  REQUIRE(sim::run(ring.world, rebuild_of(ring, 1).note_heartbeat(std::move(request))).ok());
  CHECK(ring.read(1, 10, 0)->state == BlockState::Unknown);
  REQUIRE(ring.until_complete(1));
  check_files(ring, 1, 1, 6);
}

TEST_CASE("servers that all lost power say what they had kept of it", "[rebuild]") {
  Ring ring;
  attach_rebuild(ring);
  REQUIRE(ring.settle());
  const Result<WriteReply> old_write = ring.write(5, 0, filled(kBlock, 'a'));
  REQUIRE(old_write.ok());
  ring.world.run_for(timing::kDataSyncEvery);
  const Result<WriteReply> new_write = ring.write(5, 3, filled(kBlock, 'b'));
  REQUIRE(new_write.ok());
  for (Slot slot : {0u, 1u}) ring.cut_power(slot);
  for (Slot slot : {0u, 1u}) ring.start(slot);
  REQUIRE(ring.until_complete(0));
  REQUIRE(ring.until_complete(1));
  for (std::size_t i = 0; i < 2; ++i) {
    const HolderPosition& position = old_write->holders.at(i);
    SyncRequest request;
    request.position = position.position;
    const Result<Answer<SyncRequest>> synced =
        sim::run(ring.world, ring.channel(position.slot).call(std::move(request), std::vector<Buffer>(), ring.soon()));
    REQUIRE(synced.ok());
    CHECK(synced->reply.durable.boot != position.boot);
    REQUIRE(synced->reply.earlier.size() == 1);
    CHECK(synced->reply.earlier.front().boot == position.boot);
    CHECK(synced->reply.earlier.front().kept_until >= position.position);
  }
}

}  // namespace
}  // namespace mendfs::test
