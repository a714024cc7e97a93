// Every flipped bit and every cut of a small log: nothing that was synced may go without a word.
#include <algorithm>
#include <catch2/catch.hpp>

#include "metaserver/log/log_format.h"
#include "tests/unit/metaserver/log/log_fixture.h"

namespace mendfs::metaserver {
namespace {

/// 20 entries in two segments; those up to 17 are known to be synced by what follows them, 18 to 20 are not synced.
void write_log(LogFixture& fixture) {
  REQUIRE(fixture.open().ok());
  for (std::size_t i = 1; i <= 17; ++i) REQUIRE(fixture.append(texts(i, 1)).ok());
  REQUIRE(fixture.sync().ok());
  REQUIRE(fixture.append(texts(18, 3)).ok());
  fixture.kill();
}

constexpr std::size_t kSynced = 17;

std::vector<std::string> segment_names(LogFixture& fixture) {
  std::vector<std::string> names;
  for (const std::string& name : fixture.disk().file_names()) {
    if (name.starts_with("log/segment-")) names.push_back(name);
  }
  return names;
}

void check_opened(LogFixture& fixture, const Result<void>& opened, const std::string& name) {
  if (opened.ok()) {
    const std::vector<std::string> found = fixture.entries();
    REQUIRE(found.size() >= kSynced);
    REQUIRE(found == texts(1, found.size()));
    REQUIRE(fixture.append({"after"}).ok());
    fixture.kill();
    REQUIRE(fixture.open().ok());
    std::vector<std::string> expected = texts(1, found.size());
    expected.emplace_back("after");
    REQUIRE(fixture.entries() == expected);
  } else {
    REQUIRE(opened.code() == ErrorCode::Corruption);
    REQUIRE(opened.error().message.find(name) != std::string::npos);
  }
}

}  // namespace

TEST_CASE("the log of these tests has two segments", "[log]") {
  LogFixture fixture;
  write_log(fixture);
  CHECK(segment_names(fixture).size() == 2);
}

TEST_CASE("a flipped bit anywhere stops the server or costs only what was not synced", "[log]") {
  std::size_t stopped = 0;
  std::size_t dropped = 0;
  for (std::size_t segment = 0; segment < 2; ++segment) {
    for (std::uint64_t offset = 0; offset < kSmallSegment; ++offset) {
      CAPTURE(segment, offset);
      LogFixture fixture;
      write_log(fixture);
      const std::string name = segment_names(fixture)[segment];
      REQUIRE(fixture.disk().flip_bit(name, offset, static_cast<unsigned>(offset % 8)));
      const Result<void> opened = fixture.open();
      if (!opened.ok()) ++stopped;
      if (opened.ok() && fixture.log().accepted() < 20) ++dropped;
      check_opened(fixture, opened, name);
    }
  }
  CHECK(stopped > 700);
  CHECK(dropped > 100);
}

TEST_CASE("a segment cut short anywhere stops the server", "[log]") {
  for (std::size_t segment = 0; segment < 2; ++segment) {
    for (std::size_t size = 0; size < kSmallSegment; size += 7) {
      CAPTURE(segment, size);
      LogFixture fixture;
      write_log(fixture);
      const std::string name = segment_names(fixture)[segment];
      fixture.disk().put(name, fixture.disk().content(name)->substr(0, size));
      const Result<void> opened = fixture.open();
      REQUIRE(opened.code() == ErrorCode::Corruption);
      REQUIRE(opened.error().message.find(name) != std::string::npos);
    }
  }
}

TEST_CASE("a tail of zeros from any place is dropped only above the sync point", "[log]") {
  for (std::uint64_t offset = kLogHeaderSize; offset < kSmallSegment; ++offset) {
    CAPTURE(offset);
    LogFixture fixture;
    write_log(fixture);
    const std::string name = segment_names(fixture)[1];
    const std::string whole = *fixture.disk().content(name);
    std::string torn = whole;
    // Only sixteen bytes are lost; the later frames are still there to bear witness.
    const std::size_t end = std::min<std::size_t>(torn.size(), offset + 16);
    std::fill(torn.begin() + static_cast<std::ptrdiff_t>(offset), torn.begin() + static_cast<std::ptrdiff_t>(end),
              '\0');
    fixture.disk().put(name, torn);
    const Result<void> opened = fixture.open();
    check_opened(fixture, opened, name);
  }
}

TEST_CASE("a missing segment is named", "[log]") {
  LogFixture fixture;
  REQUIRE(fixture.open().ok());
  for (std::size_t i = 1; i <= 60; ++i) REQUIRE(fixture.append(texts(i, 1)).ok());
  fixture.kill();
  const std::vector<std::string> names = segment_names(fixture);
  REQUIRE(names.size() >= 3);
  REQUIRE(fixture.disk().remove(names[1]).ok());
  const Result<void> opened = fixture.open();
  REQUIRE(opened.code() == ErrorCode::Corruption);
  CHECK(opened.error().message.find(names[1]) != std::string::npos);
}

TEST_CASE("segments that changed places are refused", "[log]") {
  LogFixture fixture;
  write_log(fixture);
  const std::vector<std::string> names = segment_names(fixture);
  const std::string first = *fixture.disk().content(names[0]);
  fixture.disk().put(names[0], *fixture.disk().content(names[1]));
  fixture.disk().put(names[1], first);
  CHECK(fixture.open().code() == ErrorCode::Corruption);
}

TEST_CASE("a segment that was never finished is of no meaning", "[log]") {
  LogFixture fixture;
  write_log(fixture);
  fixture.disk().put("log/unfinished", "half a header");
  REQUIRE(fixture.open().ok());
  CHECK(fixture.entries() == texts(1, 20));
  for (std::size_t i = 21; i <= 60; ++i) REQUIRE(fixture.append(texts(i, 1)).ok());
  fixture.kill();
  REQUIRE(fixture.open().ok());
  CHECK(fixture.entries() == texts(1, 60));
}

}  // namespace mendfs::metaserver
