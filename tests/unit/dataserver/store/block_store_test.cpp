#include "dataserver/store/block_store.h"

#include "tests/unit/dataserver/store/store_fixture.h"

namespace mendfs::store::test {

TEST_CASE("an empty directory becomes a new store with a generation of its own", "[store]") {
  StoreFixture fixture;
  REQUIRE(fixture.store->recovery().new_store);
  const Generation generation = fixture.store->generation();
  REQUIRE_FALSE(generation.is_zero());
  fixture.restart();
  REQUIRE_FALSE(fixture.store->recovery().new_store);
  REQUIRE(fixture.store->generation() == generation);
}

TEST_CASE("what was appended is read back, and what never was is absent", "[store]") {
  StoreFixture fixture;
  const RunSpec spec{.first = 3, .count = 4, .version = {1, 5}, .last_size = 100, .seed = 9};
  fixture.append(spec);
  for (const bool restarted : {false, true}) {
    if (restarted) fixture.restart();
    const std::vector<ReadPiece> pieces = fixture.read(0, 7);
    REQUIRE(pieces.size() == 3);
    CHECK(pieces[0].state == BlockState::Absent);
    CHECK(pieces[0].blocks == BlockRun{0, 3, 1});
    CHECK(pieces[1].state == BlockState::Data);
    CHECK(pieces[1].blocks == BlockRun{3, 3, 4});
    CHECK(pieces[1].version == spec.version);
    CHECK(pieces[1].last_size == 100);
    std::string expected;
    for (std::uint32_t i = 0; i < 4; ++i) expected += expected_block(spec, i);
    CHECK(bytes_of_piece(pieces[1]) == expected);
    CHECK(pieces[1].digests == digests_of(bytes_of(expected), 512));
    CHECK(pieces[2].state == BlockState::Absent);
    CHECK(pieces[2].blocks == BlockRun{15, 3, 2});
    // Blocks of the other residue classes are others.
    CHECK(fixture.read_one(4).state == BlockState::Absent);
  }
}

TEST_CASE("a newer run prevails where it covers an older one, and only there", "[store]") {
  StoreFixture fixture;
  const RunSpec old{.first = 0, .count = 6, .version = {1, 1}, .seed = 1};
  const RunSpec fresh{.first = 6, .count = 2, .version = {1, 2}, .seed = 2};
  fixture.append(old);
  fixture.append(fresh);
  const RunSpec late{.first = 3, .count = 2, .version = {1, 0}, .seed = 3};
  fixture.append(late);  // an older one that comes late changes nothing
  const std::vector<ReadPiece> pieces = fixture.read(0, 6);
  REQUIRE(pieces.size() == 3);
  CHECK(bytes_of_piece(pieces[0]) == expected_block(old, 0) + expected_block(old, 1));
  CHECK(bytes_of_piece(pieces[1]) == expected_block(fresh, 0) + expected_block(fresh, 1));
  CHECK(bytes_of_piece(pieces[2]) == expected_block(old, 4) + expected_block(old, 5));
  CHECK(pieces[2].version == old.version);
}

TEST_CASE("several wishes are answered as each would be alone, also beyond what is loaded at once", "[store]") {
  StoreFixture fixture;
  fixture.options.segment_size = 16u << 20;
  fixture.restart();
  // Three mebibytes, two residue classes, runs of both ways of being read, a hole and gaps.
  for (std::uint32_t i = 0; i < 6; ++i)
    fixture.append({.first = 3000 * i, .count = 900, .version = {1, i + 1}, .last_size = 77, .seed = i});
  for (std::uint32_t i = 0; i < 40; ++i)
    fixture.append({.first = 1 + 30 * i, .count = 5, .version = {1, 10 + i}, .seed = 10 + i});
  fixture.append({.first = 1 + 1500, .count = 4, .version = {1, 60}, .kind = RunKind::Hole});
  const std::vector<ReadWish> wishes{{{0, 3, 6000}, ReadWhat::VerifiedData},
                                     {{1, 3, 600}, ReadWhat::VerifiedDigests},
                                     {{2, 3, 4}, ReadWhat::Data},
                                     {{30, 3, 1}, ReadWhat::Data}};
  const Result<std::vector<std::vector<ReadPiece>>> all =
      sim::run(fixture.world, fixture.store->read_all(7, std::vector<ReadWish>(wishes)));
  REQUIRE(all);
  REQUIRE(all->size() == wishes.size());
  for (std::size_t i = 0; i < wishes.size(); ++i) {
    const std::vector<ReadPiece> alone = fixture.read(wishes[i].blocks.first, wishes[i].blocks.count, wishes[i].what);
    INFO("wish " << i);
    REQUIRE((*all)[i].size() == alone.size());
    for (std::size_t k = 0; k < alone.size(); ++k) {
      const ReadPiece& piece = (*all)[i][k];
      CHECK(piece.blocks == alone[k].blocks);
      CHECK(piece.state == alone[k].state);
      CHECK(piece.version == alone[k].version);
      CHECK(piece.digests == alone[k].digests);
      CHECK(bytes_of_piece(piece) == bytes_of_piece(alone[k]));
    }
  }
  CHECK((*all)[0].size() == 12);
  CHECK((*all)[3].front().version == Version{1, 1});
}

TEST_CASE("holes and lost blocks have versions and no bytes", "[store]") {
  StoreFixture fixture;
  fixture.append({.count = 3, .version = {1, 1}});
  fixture.append({.first = 3, .version = {1, 2}, .kind = RunKind::Hole});
  fixture.append({.first = 6, .version = {1, 3}, .kind = RunKind::Lost});
  fixture.append({.first = 0, .version = {1, 1}, .kind = RunKind::Lost});  // of the same write: data is better
  const std::vector<ReadPiece> pieces = fixture.read(0, 3);
  REQUIRE(pieces.size() == 3);
  CHECK(pieces[0].state == BlockState::Data);
  CHECK(pieces[1].state == BlockState::Hole);
  CHECK(pieces[1].version == Version{1, 2});
  CHECK(pieces[2].state == BlockState::Lost);
  CHECK(pieces[2].data.empty());
}

TEST_CASE("impossible runs and blocks are refused", "[store]") {
  StoreFixture fixture;
  Run run = make_run({.count = 2, .version = {1, 1}});
  run.data = run.data.slice(0, run.data.size() - 1);
  CHECK(fixture.store->append({&run, 1}, SpaceUse::Normal).code() == ErrorCode::Malformed);
  run = make_run({.count = 2, .version = {1, 1}});
  run.header.version = {};
  CHECK(fixture.store->append({&run, 1}, SpaceUse::Normal).code() == ErrorCode::Malformed);
  CHECK(fixture.store->find(7, {0, 0, 1}).code() == ErrorCode::Malformed);
  CHECK(fixture.store->find(7, {0, 3, 0}).code() == ErrorCode::Malformed);
  CHECK(fixture.store->find(7, {UINT64_MAX - 1, 3, 5}).code() == ErrorCode::Malformed);
}

TEST_CASE("a cut hides what was written under a lower number, within a block too", "[store]") {
  StoreFixture fixture;
  const RunSpec old{.first = 0, .count = 4, .version = {1, 1}, .seed = 1};  // blocks 0 3 6 9
  fixture.append(old);
  CutList cuts;
  cuts.add({1, 3 * 512 + 10});
  REQUIRE(fixture.store->add_cuts(7, cuts, false));
  const RunSpec fresh{.first = 9, .count = 1, .version = {1, 2}, .cut = 1, .seed = 2};
  fixture.append(fresh);
  fixture.append({.first = 6, .count = 2, .version = {1, 9}, .cut = 0, .seed = 3});  // too late: cut off already

  for (const bool restarted : {false, true}) {
    if (restarted) fixture.restart();
    for (const ReadWhat what : {ReadWhat::Data, ReadWhat::VerifiedData}) {
      const std::vector<ReadPiece> pieces = fixture.read(0, 4, what);
      REQUIRE(pieces.size() == 3);
      std::string expected = expected_block(old, 0) + expected_block(old, 1).substr(0, 10);
      expected.resize(2 * 512);
      CHECK(bytes_of_piece(pieces[0]) == expected);
      CHECK(pieces[0].digests == digests_of(bytes_of(expected), 512));
      CHECK(pieces[0].last_size == 10);
      CHECK(pieces[1].state == BlockState::Absent);
      CHECK(pieces[1].blocks == BlockRun{6, 3, 1});
      CHECK(bytes_of_piece(pieces[2]) == expected_block(fresh, 0));
    }
    CHECK(*fixture.store->extent(7, layout_of(3)) == 10 * 512);
    CHECK(fixture.store->cuts(7)->cuts == cuts);
  }
}

TEST_CASE("a deleted file has nothing any more, and is remembered as deleted", "[store]") {
  StoreFixture fixture;
  fixture.append({.count = 4, .version = {1, 1}});
  REQUIRE(fixture.store->add_cuts(7, {}, true));
  fixture.append({.count = 4, .version = {1, 2}});
  for (const bool restarted : {false, true}) {
    if (restarted) fixture.restart();
    CHECK(fixture.read_one(0).state == BlockState::Absent);
    CHECK(fixture.store->cuts(7)->deleted);
    CHECK(*fixture.store->extent(7, layout_of(3)) == 0);
    CHECK(fixture.list(0).runs.empty());
    REQUIRE(fixture.list(0).cuts.size() == 1);
    CHECK(fixture.list(0).cuts.front().deleted);
  }
}

TEST_CASE("fetch gives stored runs whole, split around damage", "[store]") {
  StoreFixture fixture;
  const RunSpec spec{.first = 3, .count = 5, .version = {2, 7}, .last_size = 77, .seed = 4};
  fixture.append(spec);
  REQUIRE(sim::run(fixture.world, fixture.store->damage(7, {9, 3, 1}, DamageMode::Flip, 1)));
  const Result<Fetched> fetched = sim::run(fixture.world, fixture.store->fetch(7, BlockRun{0, 3, 7}));
  REQUIRE(fetched);
  REQUIRE(fetched->runs.size() == 2);
  const Run& left = fetched->runs[0];
  const Run& right = fetched->runs[1];
  CHECK(left.header.blocks == BlockRun{3, 3, 2});
  CHECK(left.header.last_size == 512);
  CHECK(right.header.blocks == BlockRun{12, 3, 2});
  CHECK(right.header.last_size == 77);
  CHECK(right.header.version == spec.version);
  CHECK(right.header.writer == WriteId{{1, 2}, 8});
  CHECK(check_run(right.header, right.digests.size()));
  CHECK(digests_of(right.data, 512) == right.digests);
  std::size_t absent = 0;
  for (const FetchMiss& miss : fetched->misses) {
    if (miss.state == BlockState::Absent) absent += miss.blocks.count;
    if (miss.state == BlockState::Bad) CHECK(miss.blocks == BlockRun{9, 3, 1});
  }
  CHECK(absent == 2);

  // What was fetched heals another store, and this one.
  fixture.append({.first = 9, .version = {2, 7}, .seed = 5}, SpaceUse::Reserve);
  CHECK(fixture.read_one(9).state == BlockState::Data);
}

TEST_CASE("damage of every mode is real and is seen by a verified read", "[store]") {
  StoreFixture fixture;
  const RunSpec spec{.count = 3, .version = {1, 4}, .seed = 6};
  fixture.append(spec);
  const DamageMode mode =
      GENERATE(DamageMode::Flip, DamageMode::Zero, DamageMode::Truncate, DamageMode::Delete, DamageMode::Stale);
  const bool restarted = GENERATE(false, true);
  const Result<Damage> damage = sim::run(fixture.world, fixture.store->damage(7, {3, 3, 1}, mode, 11));
  REQUIRE(damage);
  if (restarted) fixture.restart();
  CHECK_FALSE(damage->place.empty());
  if (mode != DamageMode::Delete) CHECK(damage->old_value != damage->new_value);
  const std::vector<ReadPiece> pieces = fixture.read(0, 3);
  REQUIRE(pieces.size() == 3);
  CHECK(pieces[0].state == BlockState::Data);
  CHECK(pieces[1].state == (mode == DamageMode::Delete ? BlockState::Absent : BlockState::Bad));
  if (mode != DamageMode::Delete) CHECK(pieces[1].version == spec.version);
  CHECK(pieces[2].state == BlockState::Data);
  CHECK(bytes_of_piece(pieces[2]) == expected_block(spec, 2));
  // The same version, fetched from elsewhere, mends it.
  RunSpec repair = spec;
  repair.first = 3;
  repair.count = 1;
  fixture.append(repair, SpaceUse::Reserve);
  CHECK(fixture.read_one(3).state == BlockState::Data);
  fixture.restart();
  CHECK(bytes_of_piece(fixture.read_one(3)) == expected_block(repair, 0));
}

TEST_CASE("a listing has what is above a version, live runs only, in order", "[store]") {
  StoreFixture fixture;
  for (std::uint64_t i = 1; i <= 40; ++i)
    fixture.append({.inode = 7 + i % 3, .first = 3 * (i % 11), .count = 2, .version = {1, i}, .seed = i});
  fixture.append({.first = 1, .count = 2, .version = {5, 1}});  // another range
  const auto blocks_of_listing = [](const Listed& listed) {
    std::uint64_t count = 0;
    for (const RunSummary& run : listed.runs) count += run.header.blocks.count;
    return count;
  };
  const Listed all = fixture.list(0);
  CHECK_FALSE(all.damaged);
  std::uint64_t expected = 0;
  for (InodeNumber inode = 7; inode < 10; ++inode) {
    const Result<std::vector<Piece>> pieces = fixture.store->find(inode, {0, 3, 20});
    REQUIRE(pieces);
    for (const Piece& piece : *pieces)
      if (piece.state == BlockState::Data) expected += piece.blocks.count;
  }
  CHECK(blocks_of_listing(all) == expected);
  CHECK(fixture.store->block_count(0) == expected);
  for (const RunSummary& run : fixture.list(0, {1, 30}).runs) CHECK(run.header.version > Version{1, 30});
  CHECK(blocks_of_listing(fixture.list(0, {1, 40})) == 0);
  CHECK(blocks_of_listing(fixture.list(1)) == 2);
  CHECK(fixture.store->newest(0) == Version{1, 40});
  CHECK(fixture.store->newest(1) == Version{5, 1});
  const Result<std::vector<FileCount>> files = fixture.store->list_files(0, 2);
  REQUIRE(files);
  REQUIRE(files->size() == 2);
  CHECK(files->front().inode == 7);
  CHECK(fixture.store->list_files(files->back().inode, 10)->size() == 1);
}

TEST_CASE("a full disk refuses writes with a sentence and leaves the reserve to repairs", "[store]") {
  StoreFixture fixture;
  fixture.store.reset();
  fixture.options.reserve_size = 32u << 10;
  fixture.open();
  fixture.process.disk().set_capacity(160u << 10);
  Result<Position> written = Position{0};
  std::uint64_t count = 0;
  while (written && count < 1000) {
    const Run run = make_run({.first = 3 * count, .count = 8, .version = {1, ++count}});
    written = fixture.store->append({&run, 1}, SpaceUse::Normal);
  }
  REQUIRE(written.code() == ErrorCode::NoSpace);
  CHECK(written.error().message.find("dataserver 3") != std::string::npos);
  const Run run = make_run({.first = 1, .count = 8, .version = {1, 9999}});
  CHECK(fixture.store->append({&run, 1}, SpaceUse::Reserve));
  while (written.code() != ErrorCode::NoSpace || count < 2000) {
    ++count;
    written = fixture.store->append({&run, 1}, SpaceUse::Reserve);
  }
  fixture.process.disk().set_capacity(1u << 30);
  CHECK(fixture.store->append({&run, 1}, SpaceUse::Normal));
  fixture.restart();
  CHECK_FALSE(fixture.store->recovery().records_lost);
  CHECK(fixture.read_one(0).state == BlockState::Data);
  CHECK(fixture.read_one(1).state == BlockState::Data);
}

TEST_CASE("on a full disk deleting a fifth of what is there makes room again", "[store]") {
  StoreFixture fixture;
  fixture.store.reset();
  fixture.options.segment_size = 64u << 10;
  fixture.options.reserve_size = 128u << 10;
  fixture.open();
  fixture.process.disk().set_capacity(1u << 20);
  // Five files in turns, so that each segment has something of each.
  Result<Position> written = Position{0};
  for (std::uint64_t count = 0; written; ++count) {
    REQUIRE(count < 1000);
    const Run run = make_run({.inode = 7 + count % 5, .first = 24 * count, .count = 8, .version = {1, count + 1}});
    written = fixture.store->append({&run, 1}, SpaceUse::Normal);
  }
  REQUIRE(written.code() == ErrorCode::NoSpace);
  REQUIRE(fixture.store->add_cuts(8, CutList(), true));
  fixture.compact();
  std::uint64_t again = 0;
  for (written = Position{0}; written && again < 1000; ++again) {
    const Run run = make_run({.inode = 20, .first = 24 * again, .count = 8, .version = {2, again + 1}});
    written = fixture.store->append({&run, 1}, SpaceUse::Normal);
  }
  // A fifth of what had fitted, but for what the segments are rounded to.
  CHECK(again > 20);
  CHECK(fixture.read(0, 8).front().state == BlockState::Data);
}

TEST_CASE("a failed write-out ends the store, and the next start counts as a reboot", "[store]") {
  StoreFixture fixture;
  fixture.append({.version = {1, 1}});
  const Uuid boot = fixture.store->boot();
  fixture.process.disk().set_fault([](sim::DiskOperation operation, const std::string& name) -> std::optional<Error> {
    if (operation == sim::DiskOperation::Sync && name.starts_with("segments/"))
      return Error{ErrorCode::Io, "the device does not answer"};
    return std::nullopt;
  });
  CHECK_FALSE(sim::run(fixture.world, fixture.store->sync()));
  const Run run = make_run({.version = {1, 2}});
  CHECK(fixture.store->append({&run, 1}, SpaceUse::Reserve).code() == ErrorCode::Io);
  CHECK(fixture.store->find(7, {0, 3, 1}).code() == ErrorCode::Io);
  fixture.world.run_for(1s);
  fixture.process.disk().set_fault({});
  fixture.restart();
  CHECK(fixture.store->recovery().rebooted);
  CHECK_FALSE(fixture.store->boot() == boot);
}

TEST_CASE("watermarks are durable with the next sync", "[store]") {
  StoreFixture fixture;
  fixture.append({.version = {1, 1}});
  fixture.store->settled(0, {1, 1});
  CHECK(fixture.store->watermark(0).is_zero());
  fixture.sync();
  CHECK(fixture.store->watermark(0) == Version{1, 1});
  fixture.append({.version = {1, 2}});  // carries the sync point
  fixture.sync();
  fixture.restart(true);
  CHECK(fixture.store->recovery().rebooted);
  CHECK(fixture.store->watermark(0) == Version{1, 1});
}

TEST_CASE("the blob of the last flush and the writes since come back", "[store]") {
  StoreFixture fixture;
  fixture.store->set_flush_blob([] { return std::string("window"); });
  fixture.append({.version = {1, 1}});
  fixture.flush();
  fixture.append({.first = 1, .version = {1, 2}});
  fixture.restart();
  CHECK(fixture.store->recovery().blob == "window");
  REQUIRE(fixture.store->recovery().writes.size() == 1);
  CHECK(fixture.store->recovery().writes.front().range == 1);
  CHECK(fixture.store->recovery().writes.front().writer == WriteId{{1, 2}, 3});
  CHECK(fixture.store->recovery().replayed_runs == 1);
}

}  // namespace mendfs::store::test
