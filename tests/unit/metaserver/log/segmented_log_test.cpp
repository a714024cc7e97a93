#include "metaserver/log/segmented_log.h"

#include <catch2/catch.hpp>

#include "tests/unit/metaserver/log/log_fixture.h"

namespace mendfs::metaserver {

TEST_CASE("an empty log begins at entry 1", "[log]") {
  LogFixture fixture;
  REQUIRE(fixture.open().ok());
  CHECK(fixture.log().accepted() == 0);
  CHECK(fixture.log().first() == 1);
  CHECK(fixture.entries().empty());
  CHECK(fixture.sync().ok());
}

TEST_CASE("entries are read back in order, over segments and over a kill", "[log]") {
  LogFixture fixture;
  REQUIRE(fixture.open().ok());
  for (std::size_t i = 1; i <= 100; i += 4) REQUIRE(fixture.append(texts(i, 4)).ok());
  CHECK(fixture.entries() == texts(1, 100));
  fixture.kill();
  REQUIRE(fixture.open().ok());
  CHECK(fixture.log().accepted() == 100);
  CHECK(fixture.log().durable() == 100);
  CHECK(fixture.entries() == texts(1, 100));
  REQUIRE(fixture.append(texts(101, 3)).ok());
  CHECK(fixture.entries() == texts(1, 103));
}

TEST_CASE("reading begins anywhere", "[log]") {
  LogFixture fixture;
  REQUIRE(fixture.open().ok());
  for (std::size_t i = 1; i <= 60; ++i) REQUIRE(fixture.append(texts(i, 1)).ok());
  for (LogIndex from = 60; from >= 1; --from) {
    const Result<std::vector<LogEntry>> page = fixture.log().read(from, 1);
    REQUIRE(page.ok());
    REQUIRE(page->size() == 1);
    CHECK(page->front().index == from);
    CHECK(page->front().bytes == text(from));
  }
  CHECK(fixture.log().read(61, 100)->empty());
}

TEST_CASE("an append that does not follow the last entry is stale", "[log]") {
  LogFixture fixture;
  REQUIRE(fixture.open().ok());
  REQUIRE(fixture.append(texts(1, 2)).ok());
  for (const LogIndex first : {0, 1, 2, 4}) {
    CHECK(sim::run(fixture.world(), fixture.log().append(first, texts(9, 1))).code() == ErrorCode::Stale);
  }
  CHECK(fixture.entries() == texts(1, 2));
}

TEST_CASE("a batch that does not fit a segment is refused whole", "[log]") {
  LogFixture fixture;
  REQUIRE(fixture.open().ok());
  REQUIRE(fixture.append(texts(1, 1)).ok());
  CHECK(fixture.append({text(2), std::string(kSmallSegment, 'x')}).code() == ErrorCode::TooBig);
  CHECK(fixture.entries() == texts(1, 1));
  CHECK(fixture.append(texts(2, 1)).ok());
}

TEST_CASE("entries are durable after a sync and not before", "[log]") {
  LogFixture fixture;
  REQUIRE(fixture.open().ok());
  REQUIRE(fixture.append(texts(1, 3)).ok());
  CHECK(fixture.log().durable() == 0);
  REQUIRE(fixture.sync().ok());
  CHECK(fixture.log().durable() == 3);
  REQUIRE(fixture.append(texts(4, 1)).ok());
  CHECK(fixture.log().durable() == 3);
  REQUIRE(fixture.log().sync_now().ok());
  CHECK(fixture.log().durable() == 4);
}

TEST_CASE("a failed sync ends the log", "[log]") {
  LogFixture fixture;
  REQUIRE(fixture.open().ok());
  REQUIRE(fixture.append(texts(1, 3)).ok());
  fixture.disk().set_fault([](sim::DiskOperation operation, const std::string&) -> std::optional<Error> {
    if (operation == sim::DiskOperation::Sync) return Error{ErrorCode::Io, "the disk is broken"};
    return std::nullopt;
  });
  CHECK(fixture.sync().code() == ErrorCode::Io);
  fixture.disk().set_fault({});
  CHECK(fixture.sync().code() == ErrorCode::Io);
  CHECK(fixture.append(texts(4, 1)).code() == ErrorCode::Io);
  CHECK(fixture.log().durable() == 0);
}

TEST_CASE("a full disk costs a batch, not the log", "[log]") {
  LogFixture fixture;
  REQUIRE(fixture.open().ok());
  REQUIRE(fixture.append(texts(1, 1)).ok());
  fixture.disk().set_fault([](sim::DiskOperation operation, const std::string&) -> std::optional<Error> {
    if (operation == sim::DiskOperation::Preallocate) return Error{ErrorCode::NoSpace, "no space left"};
    return std::nullopt;
  });
  std::size_t taken = 1;
  while (fixture.append(texts(taken + 1, 1)).ok()) ++taken;
  CHECK(fixture.append(texts(taken + 1, 1)).code() == ErrorCode::NoSpace);
  fixture.disk().set_fault({});
  CHECK(fixture.append(texts(taken + 1, 1)).ok());
  CHECK(fixture.entries() == texts(1, taken + 1));
}

TEST_CASE("the next segment is made before it is needed", "[log]") {
  LogFixture fixture;
  REQUIRE(fixture.open().ok());
  REQUIRE(fixture.append({std::string(600, 'x')}).ok());
  fixture.world().run_for(std::chrono::seconds(1));
  fixture.disk().record_operations(true);
  REQUIRE(fixture.append({std::string(600, 'y')}).ok());
  // What is reserved after the entry is written is for the segment after this one.
  std::string before;
  for (const std::string& operation : fixture.disk().take_operations()) {
    before += operation + "\n";
    if (operation.starts_with("write log/") && operation.find(" 64+") != std::string::npos) break;
  }
  CHECK(before.find("rename log/unfinished") != std::string::npos);
  CHECK(before.find("preallocate") == std::string::npos);
  fixture.cut_power();
  REQUIRE(fixture.open().ok());
  CHECK(fixture.log().accepted() >= 1);
}

TEST_CASE("trimming removes only whole segments below the index", "[log]") {
  LogFixture fixture;
  REQUIRE(fixture.open().ok());
  for (std::size_t i = 1; i <= 100; ++i) REQUIRE(fixture.append(texts(i, 1)).ok());
  for (LogIndex below = 1; below <= 101; ++below) {
    REQUIRE(sim::run(fixture.world(), fixture.log().trim(below)).ok());
    CHECK(fixture.log().first() <= below);
  }
  CHECK(fixture.log().first() > 80);
  const std::size_t first = fixture.log().first();
  fixture.kill();
  REQUIRE(fixture.open().ok());
  CHECK(fixture.entries() == texts(first, 101 - first));
  CHECK(fixture.append(texts(101, 1)).ok());
}

TEST_CASE("a power cut leaves a prefix with all that was synced, and appending goes on", "[log]") {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    CAPTURE(seed);
    LogFixture fixture(seed);
    sim::SimRandom random(seed);
    std::vector<std::string> written;
    std::size_t synced = 0;
    for (int life = 0; life < 4; ++life) {
      REQUIRE(fixture.open().ok());
      const std::vector<std::string> found = fixture.entries();
      REQUIRE(found.size() >= synced);
      REQUIRE(found.size() <= written.size());
      written.resize(found.size());
      REQUIRE(found == written);
      synced = written.size();
      const std::uint64_t batches = random.between(0, 12);
      for (std::uint64_t i = 0; i < batches; ++i) {
        std::vector<std::string> batch;
        const std::uint64_t count = random.between(1, 4);
        for (std::uint64_t k = 0; k < count; ++k)
          batch.push_back("life " + std::to_string(life) + " " + text(written.size() + k));
        written.insert(written.end(), batch.begin(), batch.end());
        REQUIRE(fixture.append(batch).ok());
        if (random.one_in(3)) {
          REQUIRE(fixture.sync().ok());
          synced = written.size();
        }
      }
      synced = std::max<std::size_t>(synced, fixture.log().durable());
      fixture.cut_power();
    }
  }
}

}  // namespace mendfs::metaserver
