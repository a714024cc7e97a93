#include "dataserver/replication/replica.h"

#include <catch2/catch.hpp>

#include "block/checksum.h"
#include "block/copy_sum.h"
#include "tests/unit/dataserver/replication/ring_fixture.h"

namespace mendfs::test {

TEST_CASE("a write is on both copies when it is answered", "[replica]") {
  Ring ring;
  REQUIRE(ring.settle());
  const std::string bytes = filled(3 * kBlock, 'a');
  Result<WriteReply> written = ring.write(100, 0, bytes);
  REQUIRE(written.ok());
  CHECK(written->holders.size() == 2);
  for (Slot slot : {0u, 1u}) {
    Result<BlockRead> read = ring.read(slot, 100, 3);
    REQUIRE(read.ok());
    CHECK(read->state == BlockState::Data);
    CHECK(read->version == written->version);
    CHECK(read->bytes == filled(kBlock, 'a'));
    CHECK(read->verified);
  }
  Result<BlockRead> never_written = ring.read(0, 100, 9);
  REQUIRE(never_written.ok());
  CHECK(never_written->state == BlockState::Absent);
  CHECK(ring.read(2, 100, 0).code() == ErrorCode::Refused);
}

TEST_CASE("partial writes of one block never undo each other", "[replica]") {
  Ring ring;
  REQUIRE(ring.settle());
  std::vector<std::string> pieces;
  Scope scope;
  std::vector<std::optional<Result<Answer<WriteRequest>>>> answers(8);
  std::string expected(kBlock, '\0');
  for (std::uint32_t i = 0; i < 8; ++i) {
    const std::string piece = filled(50, static_cast<char>('a' + i));
    expected.replace(i * 60, 50, piece);
    WriteRequest request = ring.write_request(ring.file(5), 1, piece, i * 60);
    scope.spawn(sim::detail::keep_result(ring.send(std::move(request), piece, ring.soon()), &answers[i]));
  }
  REQUIRE(ring.world.run_until([&] {
    return std::all_of(answers.begin(), answers.end(), [](const auto& answer) { return answer.has_value(); });
  }));
  for (const auto& answer : answers) CHECK(answer->ok());
  for (Slot slot : {1u, 2u}) {
    Result<BlockRead> read = ring.read(slot, 5, 1);
    REQUIRE(read.ok());
    CHECK(read->bytes == expected);
  }
}

TEST_CASE("a write over part of its first and last block keeps the rest of both", "[replica]") {
  Ring ring;
  REQUIRE(ring.settle());
  REQUIRE(ring.write(5, 0, filled(3 * kBlock, 'x')).ok());
  REQUIRE(ring.write(5, 0, filled(2 * kBlock, 'y'), 100).ok());
  const std::string first = filled(100, 'x') + filled(kBlock - 100, 'y');
  const std::string last = filled(100, 'y') + filled(kBlock - 100, 'x');
  for (Slot slot : {0u, 1u}) {
    CHECK(ring.read(slot, 5, 0)->bytes == first);
    CHECK(ring.read(slot, 5, 3)->bytes == filled(kBlock, 'y'));
    CHECK(ring.read(slot, 5, 6)->bytes == last);
  }
}

TEST_CASE("a short block reads as filled up with zeros", "[replica]") {
  Ring ring;
  REQUIRE(ring.settle());
  REQUIRE(ring.write(5, 0, filled(kBlock + 7, 'x')).ok());
  CHECK(ring.read(1, 5, 3)->bytes == filled(7, 'x') + std::string(kBlock - 7, '\0'));
  REQUIRE(ring.write(5, 3, filled(3, 'z'), 20).ok());
  CHECK(ring.read(1, 5, 3)->bytes ==
        filled(7, 'x') + std::string(13, '\0') + filled(3, 'z') + std::string(kBlock - 23, '\0'));
}

TEST_CASE("a write waits for a holder that is down, and is answered when it is back", "[replica]") {
  Ring ring;
  REQUIRE(ring.settle());
  REQUIRE(ring.write(5, 0, filled(kBlock, 'a')).ok());
  ring.kill(1);
  std::optional<Result<Answer<WriteRequest>>> answer;
  Scope scope;
  const std::string bytes = filled(kBlock, 'b');
  WriteRequest request = ring.write_request(ring.file(5), 0, bytes);
  scope.spawn(sim::detail::keep_result(ring.send(std::move(request), bytes, ring.soon()), &answer));
  ring.world.run_for(12s);
  CHECK_FALSE(answer.has_value());
  const replication::ReplicaStatus status = ring.server(0).replica->status();
  CHECK(status.writes_blocked == 1);
  CHECK(status.blocked_on == 1);
  CHECK(status.blocked_ms > 10'000);
  ring.start(1);
  REQUIRE(ring.world.run_until([&] { return answer.has_value(); }));
  REQUIRE(answer->ok());
  REQUIRE(ring.settle());
  CHECK(ring.read(1, 5, 0)->bytes == bytes);
  CHECK(ring.server(0).replica->status().writes_blocked == 0);
}

TEST_CASE("a write that arrives twice is applied once", "[replica]") {
  Ring ring;
  REQUIRE(ring.settle());
  const std::string bytes = filled(kBlock, 'a');
  WriteRequest request = ring.write_request(ring.file(5), 0, bytes);
  WriteRequest again = request;
  again.retry = true;
  Result<Answer<WriteRequest>> first = sim::run(ring.world, ring.send(request, bytes, ring.soon()));
  REQUIRE(first.ok());

  SECTION("to the same process") {
    REQUIRE(ring.write(5, 0, filled(kBlock, 'z')).ok());
    Result<Answer<WriteRequest>> second = sim::run(ring.world, ring.send(again, bytes, ring.soon()));
    REQUIRE(second.ok());
    CHECK(second->reply.version == first->reply.version);
    CHECK(ring.read(0, 5, 0)->bytes == filled(kBlock, 'z'));
  }
  SECTION("after the primary was killed") {
    REQUIRE(ring.write(5, 0, filled(kBlock, 'z')).ok());
    ring.kill(0);
    ring.start(0);
    REQUIRE(ring.settle());
    Result<Answer<WriteRequest>> second = sim::run(ring.world, ring.send(again, bytes, ring.soon()));
    REQUIRE(second.ok());
    CHECK(second->reply.version == first->reply.version);
    CHECK(ring.read(0, 5, 0)->bytes == filled(kBlock, 'z'));
  }
}

TEST_CASE("a write in flight when its primary is killed ends up on both copies or on none", "[replica]") {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    Ring ring(3, seed);
    REQUIRE(ring.settle());
    REQUIRE(ring.write(5, 0, filled(kBlock, 'a')).ok());
    const std::string bytes = filled(kBlock, 'b');
    std::optional<Result<Answer<WriteRequest>>> answer;
    WriteRequest request = ring.write_request(ring.file(5), 0, bytes);
    WriteRequest again = request;
    again.retry = true;
    {
      Scope scope;
      scope.spawn(sim::detail::keep_result(ring.send(std::move(request), bytes, ring.soon()), &answer));
      ring.world.run_for(Duration(ring.world.random().below(2'000'000)));
      ring.kill(0);
    }
    ring.start(0);
    REQUIRE(ring.settle());
    Result<BlockRead> primary = ring.read(0, 5, 0);
    Result<BlockRead> copy = ring.read(1, 5, 0);
    REQUIRE(primary.ok());
    REQUIRE(copy.ok());
    CHECK(primary->version == copy->version);
    CHECK(primary->bytes == copy->bytes);
    // The retry is applied if the write was not, and answered from memory if it was.
    Result<Answer<WriteRequest>> retried = sim::run(ring.world, ring.send(again, bytes, ring.soon()));
    REQUIRE(retried.ok());
    if (primary->bytes == bytes) CHECK(retried->reply.version == primary->version);
    CHECK(ring.read(1, 5, 0)->bytes == bytes);
  }
}

TEST_CASE("a fenced session's writes are refused, another's are taken", "[replica]") {
  Ring ring;
  REQUIRE(ring.settle());
  ring.server(0).replica->fence(kSession);
  CHECK(ring.write(5, 0, filled(kBlock, 'a')).code() == ErrorCode::Refused);
  CHECK(ring.write(5, 1, filled(kBlock, 'a')).ok());
}

TEST_CASE("without a grant no write is taken and reads go on", "[replica]") {
  Ring ring;
  REQUIRE(ring.settle());
  REQUIRE(ring.write(5, 0, filled(kBlock, 'a')).ok());
  ring.server(0).replica->grant_writes_until(ring.process(0).loop().now());
  CHECK(ring.write(5, 0, filled(kBlock, 'b')).code() == ErrorCode::Unavailable);
  CHECK(ring.read(0, 5, 0)->bytes == filled(kBlock, 'a'));
}

TEST_CASE("cuts decide which writes are taken and what is read", "[replica]") {
  Ring ring;
  REQUIRE(ring.settle());
  REQUIRE(ring.write(5, 0, filled(kBlock, 'a')).ok());
  FileRef cut_file = ring.file(5);
  cut_file.cuts.add({1, 10});
  const std::string bytes = filled(5, 'b');
  WriteRequest request = ring.write_request(cut_file, 0, bytes, 20);
  REQUIRE(sim::run(ring.world, ring.send(std::move(request), bytes, ring.soon())).ok());
  // What was cut off before does not come back between the old end and the new bytes.
  const std::string expected = filled(10, 'a') + std::string(10, '\0') + bytes;
  for (Slot slot : {0u, 1u}) {
    ReadRequest read;
    read.file = cut_file;
    read.parts.push_back({ReadMode::Data, {0, 3, 1}});
    auto answer = sim::run(ring.world, ring.channel(slot).call(std::move(read), std::vector<Buffer>(), ring.soon()));
    REQUIRE(answer.ok());
    CHECK(text_of(answer->data).substr(0, expected.size()) == expected);
  }
  CHECK(ring.write(5, 0, filled(kBlock, 'c')).code() == ErrorCode::Stale);
  CutRecord deletion;
  deletion.inode = 5;
  deletion.deleted = true;
  std::vector<CutRecord> records;
  records.push_back(deletion);
  REQUIRE(sim::run(ring.world, ring.server(0).replica->record_cuts(std::move(records))).ok());
  WriteRequest late = ring.write_request(cut_file, 0, bytes);
  CHECK(sim::run(ring.world, ring.send(std::move(late), bytes, ring.soon())).code() == ErrorCode::StaleHandle);
}

TEST_CASE("an audit sums up what a read of the same blocks would give", "[replica]") {
  Ring ring;
  REQUIRE(ring.settle());
  // Two records, each with a last block that is short, and a block never written.
  REQUIRE(ring.write(5, 0, filled(2 * kBlock + 100, 'a')).ok());
  REQUIRE(ring.write(5, 9, filled(kBlock + 7, 'b')).ok());
  const CopySum sum(42);
  AuditRequest request;
  request.seed = sum.seed();
  request.files.push_back({ring.file(5), {{0, 3, 6}}});
  const auto audited = [&](Slot slot) {
    auto answer = sim::run(ring.world, ring.channel(slot).call(request, std::vector<Buffer>(), ring.soon()));
    REQUIRE(answer.ok());
    REQUIRE(answer->reply.files.size() == 1);
    REQUIRE(answer->reply.files[0].is_known);
    return answer->reply.files[0].runs;
  };
  std::vector<std::uint64_t> expected;
  for (const BlockIndex block : {0, 3, 6, 9, 12}) {
    std::string bytes = ring.read(0, 5, block)->bytes;
    REQUIRE(bytes.size() == kBlock);
    expected.push_back(sum.of(bytes_of(bytes), sha256(bytes_of(bytes))));
  }
  for (Slot slot : {0u, 1u}) {
    std::vector<std::uint64_t> sums;
    const std::vector<AuditRun> runs = audited(slot);
    for (const AuditRun& run : runs) sums.insert(sums.end(), run.sums.begin(), run.sums.end());
    CHECK(sums == expected);
    CHECK(runs.back().state == BlockState::Absent);
  }
  REQUIRE(sim::run(ring.world, ring.server(1).store->damage(5, {9, 3, 1}, store::DamageMode::Flip, 1)).ok());
  std::vector<std::uint64_t> damaged;
  for (const AuditRun& run : audited(1)) damaged.insert(damaged.end(), run.sums.begin(), run.sums.end());
  REQUIRE(damaged.size() == expected.size());
  for (std::size_t i = 0; i < damaged.size(); ++i) CHECK((damaged[i] == expected[i]) == (i != 3));
}

TEST_CASE("impossible writes are refused and change nothing", "[replica]") {
  Ring ring;
  REQUIRE(ring.settle());
  REQUIRE(ring.write(5, 0, filled(kBlock, 'a')).ok());
  const std::string bytes = filled(kBlock, 'b');
  WriteRequest request = ring.write_request(ring.file(5), 0, bytes);
  SECTION("fewer bytes than named") {
    CHECK(sim::run(ring.world, ring.send(request, bytes.substr(1), ring.soon())).code() == ErrorCode::Malformed);
  }
  SECTION("a block twice") {
    request.parts.push_back(request.parts[0]);
    CHECK(sim::run(ring.world, ring.send(request, bytes + bytes, ring.soon())).code() == ErrorCode::Malformed);
  }
  SECTION("blocks beyond the end of any file") {
    request.parts[0].blocks.first = 3 * (UINT64_MAX / 4);
    CHECK_FALSE(sim::run(ring.world, ring.send(request, bytes, ring.soon())).ok());
  }
  SECTION("another ring") {
    request.file.layout.ring = 9;
    CHECK(sim::run(ring.world, ring.send(request, bytes, ring.soon())).code() == ErrorCode::Refused);
  }
  CHECK(ring.read(0, 5, 0)->bytes == filled(kBlock, 'a'));
}

TEST_CASE("a durable write survives a power cut of both holders", "[replica]") {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    Ring ring(3, seed);
    REQUIRE(ring.settle());
    const std::string bytes = filled(4 * kBlock, 'd');
    WriteRequest request = ring.write_request(ring.file(5), 0, bytes);
    request.durable = true;
    REQUIRE(sim::run(ring.world, ring.send(std::move(request), bytes, ring.soon())).ok());
    for (Slot slot : {0u, 1u}) {
      Result<std::vector<store::Piece>> found = ring.server(slot).store->find(5, {0, 3, 4});
      REQUIRE(found.ok());
      CHECK(found->front().state == BlockState::Data);
      CHECK(ring.server(slot).store->durable() >= ring.server(slot).store->position());
    }
  }
}

TEST_CASE("a write is refused for the copy's full disk before anything is stored", "[replica]") {
  Ring ring;
  REQUIRE(ring.settle());
  REQUIRE(ring.write(5, 0, filled(kBlock, 'a')).ok());
  const std::uint64_t capacity = ring.process(1).disk().capacity();
  Result<DiskSpace> space = ring.process(1).disk().space();
  REQUIRE(space.ok());
  // Half the reserve is left.
  const std::uint64_t used = space->total_bytes - space->free_bytes;
  ring.process(1).disk().set_capacity(used + store::StoreOptions().reserve_size / 2);
  ring.world.run_for(1s);
  // The primary learns of it with what it forwards: that one still goes into the reserve.
  REQUIRE(ring.write(5, 0, filled(kBlock, 'b')).ok());
  CHECK(ring.write(5, 3, filled(kBlock, 'c')).code() == ErrorCode::NoSpace);
  CHECK(ring.read(0, 5, 3)->state == BlockState::Absent);
  ring.process(1).disk().set_capacity(capacity);
  REQUIRE(ring.world.run_until([&] { return ring.write(5, 6, filled(kBlock, 'd')).ok(); }));
  CHECK(ring.read(1, 5, 6)->bytes == filled(kBlock, 'd'));
}

TEST_CASE("a holder that comes back as an emptied store shakes hands before it is forwarded to", "[replica]") {
  Ring ring;
  REQUIRE(ring.settle());
  REQUIRE(ring.write(5, 0, filled(kBlock, 'a')).ok());
  ring.kill(1);
  ring.process(1).wipe();
  std::optional<Result<Answer<WriteRequest>>> answer;
  const std::string bytes = filled(kBlock, 'b');
  WriteRequest request = ring.write_request(ring.file(5), 0, bytes);
  Scope scope;
  scope.spawn(sim::detail::keep_result(ring.send(std::move(request), bytes, ring.soon()), &answer));
  ring.start(1, false);
  REQUIRE(ring.world.run_until([&] { return answer.has_value(); }));
  CHECK(answer->ok());
  const store::RangeState* state = ring.server(1).store->superblock().range_state(0);
  REQUIRE(state != nullptr);
  CHECK(state->refused_below == ring.server(0).store->superblock().term_confirmed);
  ForwardRequest old_term;
  old_term.range = 0;
  old_term.term = state->refused_below - 1;
  Caller primary;
  primary.role = Role::Dataserver;
  CHECK(sim::run(ring.world, ring.server(1).replica->serve(old_term, Buffer(), primary)).code() == ErrorCode::Refused);
}

}  // namespace mendfs::test
