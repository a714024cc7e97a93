#include "dataserver/store/recovery.h"

#include <algorithm>
#include <map>

#include "tests/unit/dataserver/store/store_fixture.h"

namespace mendfs::store::test {
namespace {

RunSpec spec_of(std::uint64_t number) {
  return {.first = 3 * number, .count = 1, .version = {1, number + 1}, .seed = number};
}

/// A store with `count` blocks, synced after each tenth, adopted as complete for range 0.
void fill(StoreFixture& fixture, std::uint64_t count) {
  fixture.store->superblock().ranges.push_back({0, true, 0});
  REQUIRE(sim::run(fixture.world, fixture.store->save_superblock()));
  for (std::uint64_t i = 0; i < count; ++i) {
    fixture.append(spec_of(i));
    if (i % 10 == 9) fixture.sync();
  }
}

bool complete(StoreFixture& fixture) { return fixture.store->superblock().range_state(0)->complete; }

/// How many of the blocks read as they were written; the others must be known as bad or be gone.
std::uint64_t count_good(StoreFixture& fixture, std::uint64_t count) {
  std::uint64_t good = 0;
  for (std::uint64_t i = 0; i < count; ++i) {
    const ReadPiece piece = fixture.read_one(3 * i);
    if (piece.state != BlockState::Data) continue;
    REQUIRE(bytes_of_piece(piece) == expected_block(spec_of(i), 0));
    ++good;
  }
  return good;
}

}  // namespace

TEST_CASE("a bit flipped anywhere in a segment is never served and never forgotten", "[store]") {
  const std::uint64_t count = 40;
  const bool flushed = GENERATE(false, true);
  const bool power_cut = GENERATE(false, true);
  const std::uint64_t offset = GENERATE(range(0, 25000, 997));
  StoreFixture fixture(offset + 1);
  fill(fixture, count);
  if (flushed) fixture.flush();
  fixture.sync();
  fixture.append({.first = 1, .version = {9, 9}});  // carries the last sync point
  fixture.sync();
  fixture.stop(power_cut);
  REQUIRE(fixture.process.disk().flip_bit(fixture.segments().front(), offset, offset % 8));
  fixture.open();
  const std::uint64_t good = count_good(fixture, count);
  CHECK(good >= count - 1);
  // A block that is not served as written is known to be bad, or the store knows that it does not know all.
  std::uint64_t known = 0;
  for (std::uint64_t i = 0; i < count; ++i) known += fixture.read_one(3 * i).state == BlockState::Absent ? 0 : 1;
  CHECK((known == count || !complete(fixture)));
  CHECK((known == count || fixture.store->recovery().records_lost));

  // It is judged once: the next start finds nothing new, and writing goes on.
  fixture.append(spec_of(count));
  fixture.restart();
  CHECK_FALSE(fixture.store->recovery().records_lost);
  CHECK(count_good(fixture, count + 1) == good + 1);
}

TEST_CASE("a segment cut short anywhere costs only what was behind the cut", "[store]") {
  const std::uint64_t count = 40;
  const bool flushed = GENERATE(false, true);
  const std::uint64_t size = GENERATE(range(1, 25000, 1499));
  StoreFixture fixture(size);
  fill(fixture, count);
  if (flushed) fixture.flush();
  fixture.sync();
  fixture.append({.first = 1, .version = {9, 9}});
  fixture.stop(false);
  const std::string name = fixture.segments().front();
  const std::string content = *fixture.process.disk().content(name);
  REQUIRE(size < content.size());
  fixture.process.disk().put(name, content.substr(0, size));
  fixture.open();
  if (flushed) CHECK(fixture.store->recovery().records_lost);
  if (fixture.store->recovery().records_lost) CHECK_FALSE(complete(fixture));
  const std::uint64_t good = count_good(fixture, count);
  CHECK(good + 2 >= size * count / content.size());
  fixture.append(spec_of(count));
  fixture.flush();
  fixture.restart();
  CHECK_FALSE(fixture.store->recovery().records_lost);
  CHECK(count_good(fixture, count + 1) == good + 1);
}

TEST_CASE("after a power cut the store knows up to where its earlier life was kept", "[store]") {
  const std::uint64_t seed = GENERATE(range(1, 60));
  StoreFixture fixture(seed);
  sim::SimRandom random(seed);
  struct Written {
    Uuid boot;
    Position position;
    std::uint64_t number;
  };
  std::vector<Written> written;
  std::map<Uuid, Position> durable;
  for (std::uint64_t number = 0; number < 250;) {
    for (std::uint64_t i = random.below(120); i > 0; --i, ++number)
      written.push_back({fixture.store->boot(), fixture.append(spec_of(number)), number});
    if (random.one_in(2)) fixture.sync();
    if (random.one_in(4)) fixture.flush();
    durable[fixture.store->boot()] = fixture.store->durable();
    fixture.restart(random.one_in(2));
  }
  durable[fixture.store->boot()] = fixture.store->durable();
  fixture.restart(true);
  const std::vector<protocol::EarlierLife>& earlier = fixture.store->superblock().earlier;
  REQUIRE(earlier.size() == durable.size());
  for (const Written& write : written) {
    const auto life = std::find_if(earlier.begin(), earlier.end(),
                                   [&](const protocol::EarlierLife& known) { return known.boot == write.boot; });
    REQUIRE(life != earlier.end());
    if (write.position <= durable.at(write.boot)) CHECK(write.position <= life->kept_until);
    if (write.position > life->kept_until) continue;
    const ReadPiece piece = fixture.read_one(3 * write.number);
    CAPTURE(seed, write.number);
    CHECK(piece.state == BlockState::Data);
    CHECK((bytes_of_piece(piece) == expected_block(spec_of(write.number), 0)));
  }
}

TEST_CASE("of a life that ended with a failed write-out only what was durable counts as kept", "[store]") {
  StoreFixture fixture;
  fixture.append(spec_of(0));
  fixture.sync();
  const Position durable = fixture.store->durable();
  fixture.append(spec_of(1));
  fixture.store->superblock().boot_id.clear();
  REQUIRE(sim::run(fixture.world, fixture.store->save_superblock()));
  fixture.restart();
  REQUIRE(fixture.store->superblock().earlier.size() == 1);
  CHECK(fixture.store->superblock().earlier.front().kept_until <= durable);
}

TEST_CASE("a missing segment makes the store incomplete", "[store]") {
  StoreFixture fixture;
  fill(fixture, 100);
  fixture.world.run_for(3s);  // the store flushes its index for the first time by itself
  for (std::uint64_t i = 100; i < 300; ++i) fixture.append(spec_of(i));
  REQUIRE(fixture.segments().size() >= 4);
  const bool flushed = GENERATE(false, true);
  if (flushed) fixture.flush();
  fixture.stop(false);
  // Flushed, the index names it; not flushed, the segment after it says where it ended.
  REQUIRE(fixture.process.disk().remove(fixture.segments()[2]));
  fixture.open();
  CHECK(fixture.store->recovery().records_lost);
  CHECK_FALSE(complete(fixture));
  CHECK(count_good(fixture, 300) >= 100);
  for (std::uint64_t i = 0; i < 300; ++i) CHECK(fixture.read_one(3 * i).state != BlockState::Bad);
  fixture.restart();
  CHECK_FALSE(fixture.store->recovery().records_lost);
}

TEST_CASE("a lost index is built anew from the segments", "[store]") {
  StoreFixture fixture;
  fill(fixture, 200);
  CutList cuts;
  cuts.add({1, 3 * 150 * 512});
  REQUIRE(fixture.store->add_cuts(7, cuts, false));
  REQUIRE(fixture.store->add_cuts(8, {}, true));
  fixture.flush();
  const bool while_running = GENERATE(false, true);
  if (while_running) {
    fixture.process.kv().corrupt("index");
    CHECK(fixture.store->find(6, {0, 3, 1}).code() == ErrorCode::Corruption);
    CHECK(fixture.store->find(7, {0, 3, 1}).code() == ErrorCode::Io);
    fixture.world.run_for(1s);
    fixture.stop(false);
  } else {
    fixture.stop(false);
    fixture.process.kv().corrupt("index");
  }
  fixture.open();
  CHECK(fixture.store->recovery().index_rebuilt);
  CHECK_FALSE(fixture.store->recovery().records_lost);
  CHECK(complete(fixture));
  CHECK(count_good(fixture, 200) == 150);
  CHECK(fixture.store->cuts(8)->deleted);
  fixture.flush();
  fixture.restart();
  CHECK_FALSE(fixture.store->recovery().index_rebuilt);
  CHECK(count_good(fixture, 200) == 150);
}

TEST_CASE("a run whose head is damaged is listed as lost and mended by its like", "[store]") {
  StoreFixture fixture;
  fill(fixture, 60);
  fixture.flush();
  // Records begin with a checksum; the first run's is found by its block's bytes.
  const std::string name = fixture.segments().front();
  const std::string bytes = expected_block(spec_of(30), 0);
  const std::size_t data = fixture.process.disk().content(name)->find(bytes);
  REQUIRE(data != std::string::npos);
  REQUIRE(fixture.process.disk().flip_bit(name, data - sizeof(Digest) - kRunMetaSize - 3, 5));
  CHECK(fixture.read_one(90).state == BlockState::Bad);

  const Listed listed = fixture.list(0);
  CHECK_FALSE(listed.damaged);
  CHECK(listed.runs.size() == 60);
  const auto lost = std::find_if(listed.runs.begin(), listed.runs.end(),
                                 [](const RunSummary& run) { return run.header.kind == RunKind::Lost; });
  REQUIRE(lost != listed.runs.end());
  CHECK(lost->header.blocks == BlockRun{90, 3, 1});
  CHECK(lost->header.version == spec_of(30).version);
  CHECK(check_run(lost->header, 0));
  CHECK(fixture.list(0, spec_of(30).version).runs.size() == 29);

  fixture.append(spec_of(30), SpaceUse::Reserve);
  CHECK(fixture.read_one(90).state == BlockState::Data);
  for (const RunSummary& run : fixture.list(0).runs) CHECK(run.header.kind == RunKind::Data);
}

TEST_CASE("a restart reads only what is behind the last flush", "[store]") {
  StoreFixture fixture;
  fill(fixture, 200);
  fixture.flush();
  fixture.append(spec_of(200));
  fixture.restart();
  CHECK(fixture.store->recovery().replayed_runs == 1);
  CHECK(count_good(fixture, 201) == 201);
}

TEST_CASE("a superblock damaged in one file is read from the other, in both refuses with a sentence", "[store]") {
  StoreFixture fixture;
  fixture.store->superblock().term_confirmed = 42;
  REQUIRE(sim::run(fixture.world, fixture.store->save_superblock()));
  fixture.stop(false);
  REQUIRE(fixture.process.disk().flip_bit("superblock.1", 40, 3));
  fixture.open();
  CHECK(fixture.store->superblock().term_confirmed == 42);
  REQUIRE(sim::run(fixture.world, fixture.store->save_superblock()));
  fixture.stop(false);
  REQUIRE(fixture.process.disk().flip_bit("superblock.2", 20, 3));
  fixture.open();
  CHECK(fixture.store->superblock().term_confirmed == 42);
  fixture.stop(false);
  REQUIRE(fixture.process.disk().flip_bit("superblock.1", 20, 3));
  const Result<void> refused = fixture.try_open();
  REQUIRE(refused.code() == ErrorCode::Corruption);
  CHECK(refused.error().message.find("move the directory away") != std::string::npos);
}

TEST_CASE("a crash while the superblock is saved leaves the old or the new one", "[store]") {
  StoreFixture fixture(GENERATE(range(1, 20)));
  fixture.store->superblock().term_confirmed = 1;
  REQUIRE(sim::run(fixture.world, fixture.store->save_superblock()));
  fixture.store->superblock().term_confirmed = 2;
  {
    Scope scope;
    bool ended = false;
    scope.spawn(sim::detail::keep_end(
        [](BlockStore* store) -> Task<void> { (void)co_await store->save_superblock(); }(fixture.store.get()), &ended));
    fixture.world.run_for(Duration(fixture.world.random().below(3'000'000)));
  }
  fixture.restart(true);
  CHECK((fixture.store->superblock().term_confirmed == 1 || fixture.store->superblock().term_confirmed == 2));
}

}  // namespace mendfs::store::test
