#include "dataserver/store/record_part.h"

#include "tests/unit/dataserver/store/store_fixture.h"

namespace mendfs::store::test {
namespace {

constexpr std::uint32_t kLong = 100;

StoredRun part_of_run(std::uint32_t count_in_record, std::uint32_t skip, std::uint32_t count) {
  RunSpec spec{.count = count_in_record, .version = {1, 1}, .last_size = 300};
  const StoredRun whole = stored_run(make_run(spec).header, position_of(3, 4096));
  return part_of(whole, whole.first + skip, whole.first + skip + count);
}

}  // namespace

TEST_CASE("of a long record only its head and what belongs to the part is read", "[record_part]") {
  const PartPlaces places = places_of(part_of_run(kLong, 40, 2));
  CHECK_FALSE(places.is_one_read);
  CHECK(places.size() < 2048);
  std::vector<Extent> extents;
  add_extents(nullptr, position_of(3, 4096), places, extents);
  REQUIRE(extents.size() == 3);
  CHECK(extents[0].offset == 4096);
  CHECK(extents[1].offset == 4096 + places.head_size + 40 * sizeof(Digest));
  CHECK(extents[1].size == 2 * sizeof(Digest));
  CHECK(extents[2].offset == 4096 + places.head_size + kLong * sizeof(Digest) + 40 * kBlockSizeDefault);
  CHECK(extents[2].size == 2 * kBlockSizeDefault);

  // All of it, what lies at its front, and short ones: at once.
  CHECK(places_of(part_of_run(kLong, 0, kLong)).is_one_read);
  CHECK(places_of(part_of_run(kLong, 0, 1)).is_one_read);
  CHECK(places_of(part_of_run(8, 4, 2)).is_one_read);
}

TEST_CASE("each block of a long record is read by itself, and damage in it is seen", "[record_part]") {
  StoreFixture fixture;
  const RunSpec spec{.count = kLong, .version = {1, 1}, .last_size = 300};
  fixture.append(spec);
  for (std::uint32_t i = 0; i < kLong; ++i) {
    const ReadPiece piece = fixture.read_one(3 * i);
    REQUIRE(piece.state == BlockState::Data);
    REQUIRE(bytes_of_piece(piece) == expected_block(spec, i));
  }
  for (const DamageMode mode : {DamageMode::Flip, DamageMode::Zero}) {
    const BlockIndex damaged = mode == DamageMode::Flip ? 3 * 50 : 3 * 70;
    REQUIRE(sim::run(fixture.world, fixture.store->damage(7, {damaged, 3, 1}, mode, 1)));
    CHECK(fixture.read_one(damaged).state == BlockState::Bad);
    CHECK(fixture.read_one(damaged + 3).state == BlockState::Data);
  }
}

}  // namespace mendfs::store::test
