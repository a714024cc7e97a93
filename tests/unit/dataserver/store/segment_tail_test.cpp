// Segments whose files are extended with zeros ahead of what is written.
#include <algorithm>
#include <catch2/catch.hpp>

#include "tests/unit/dataserver/store/store_fixture.h"

namespace mendfs::store::test {
namespace {

constexpr std::uint64_t kRuns = 12;

/// Blocks that end in zeros, as files often do: in bytes of the record that look like nothing written.
Run ending_in_zeros(std::uint64_t number) {
  Run run = make_run({.first = 3 * number, .version = {1, number + 1}, .seed = number});
  std::fill(run.data.writable().begin() + 100, run.data.writable().end(), std::byte{0});
  run.digests = digests_of(run.data, kBlockSizeDefault);
  return run;
}

/// A store whose newest segment is longer than what was written to it, and its last record of `size` bytes.
struct TailTest {
  explicit TailTest(bool zeros) {
    for (std::uint64_t number = 0; number < kRuns; ++number) {
      if (number + 1 == kRuns) last_begin = static_cast<std::size_t>(offset_of(fixture.store->position()));
      const Run run =
          zeros ? ending_in_zeros(number) : make_run({.first = 3 * number, .version = {1, number + 1}, .seed = number});
      REQUIRE(fixture.store->append({&run, 1}, SpaceUse::Normal));
      if (number + 1 < kRuns) fixture.sync();
    }
    end = static_cast<std::size_t>(offset_of(fixture.store->position()));
  }
  std::string content() { return *fixture.process.disk().content(fixture.segments().back()); }
  std::uint64_t found() {
    std::uint64_t count = 0;
    for (std::uint64_t number = 0; number < kRuns; ++number)
      count += fixture.read_one(3 * number).state == BlockState::Data ? 1 : 0;
    return count;
  }

  StoreFixture fixture;
  std::size_t last_begin = 0;
  std::size_t end = 0;
};

}  // namespace

TEST_CASE("while little is written between syncs a segment has its size and zeros ahead", "[store]") {
  TailTest test(GENERATE(false, true));
  const std::string name = test.fixture.segments().back();
  const std::size_t size = test.content().size();
  CHECK(size > test.end);
  test.fixture.process.disk().record_operations(true);
  test.fixture.append({.first = 1000, .version = {2, 1}});
  test.fixture.sync();
  for (const std::string& operation : test.fixture.process.disk().take_operations())
    CHECK(operation.find("preallocate") == std::string::npos);
  CHECK(test.content().size() == size);

  const bool power_cut = GENERATE(false, true);
  test.fixture.restart(power_cut);
  CHECK(test.fixture.store->recovery().discarded_bytes == 0);
  CHECK_FALSE(test.fixture.store->recovery().records_lost);
  CHECK(test.found() == kRuns);
  // What was ahead is given back.
  CHECK(test.fixture.process.disk().content(name)->size() < size);
}

TEST_CASE("large writes get no zeros ahead, and a full segment keeps none", "[store]") {
  StoreFixture fixture;
  for (std::uint64_t number = 0; number < 20; ++number) {
    fixture.append({.first = 300 * number, .count = 80, .version = {1, number + 1}});
    fixture.sync();
    CHECK(fixture.process.disk().content(fixture.segments().back())->size() == offset_of(fixture.store->position()));
  }
  for (std::uint64_t number = 0; number < 200; ++number) {
    fixture.append({.first = 3 * number, .version = {2, number + 1}});
    fixture.sync();
  }
  std::uint64_t total = 0;
  const std::vector<std::string> names = fixture.segments();
  for (const std::string& name : names) total += fixture.process.disk().content(name)->size();
  const Result<StoreSpace> space = fixture.store->space();
  REQUIRE(space);
  const std::size_t ahead = fixture.process.disk().content(names.back())->size() - offset_of(fixture.store->position());
  CHECK(total - ahead == space->stored_bytes);
}

TEST_CASE("a write that a kill tore within the zeros is discarded, and no other", "[store]") {
  const bool zeros = GENERATE(false, true);
  const std::size_t step = GENERATE(0, 1, 8, 47, 48, 100, 152, 153, 160, 184, 185, 200, 284, 285, 300, 500);
  TailTest test(zeros);
  test.fixture.stop(false);
  std::string content = test.content();
  REQUIRE(test.last_begin + step < test.end);
  const std::string tail = content.substr(test.last_begin + step, test.end - test.last_begin - step);
  const bool is_torn = tail.find_first_not_of('\0') != std::string::npos;
  std::fill(content.begin() + static_cast<std::ptrdiff_t>(test.last_begin + step), content.end(), '\0');
  test.fixture.process.disk().put(test.fixture.segments().back(), content);
  test.fixture.open();
  CHECK_FALSE(test.fixture.store->recovery().records_lost);
  CHECK(test.found() == kRuns - (is_torn ? 1 : 0));
  // It is judged once, and writing goes on.
  test.fixture.append({.first = 3 * (kRuns - 1), .version = {5, 1}});
  test.fixture.restart();
  CHECK(test.fixture.store->recovery().discarded_bytes == 0);
  CHECK_FALSE(test.fixture.store->recovery().records_lost);
  CHECK(test.found() == kRuns);
}

TEST_CASE("the last record before the zeros is damage, not a torn write, when its end was written", "[store]") {
  TailTest test(false);
  test.fixture.stop(false);
  const std::string content = test.content();
  REQUIRE(content.substr(test.last_begin, test.end - test.last_begin).find_last_not_of('\0') > 600);
  REQUIRE(test.fixture.process.disk().flip_bit(test.fixture.segments().back(), test.last_begin + 300, 3));
  test.fixture.open();
  CHECK(test.fixture.store->recovery().discarded_bytes == 0);
  CHECK(test.fixture.read_one(3 * (kRuns - 1)).state == BlockState::Bad);
  CHECK(test.found() == kRuns - 1);
}

}  // namespace mendfs::store::test
