#include "env/disk.h"

#include <catch2/catch.hpp>

#include "tests/sim/world/world.h"

namespace mendfs {

using sim::SimProcess;
using sim::SimWorld;

TEST_CASE("replacing a file syncs its bytes, then its name", "[disk]") {
  SimWorld world;
  SimProcess& p = world.process("p");
  REQUIRE(p.disk().make_directory("d").ok());
  p.disk().record_operations(true);
  REQUIRE(run(world, replace_file(p.disk(), "d/super", "content")).ok());
  const std::vector<std::string> expected{"create d/super.new", "truncate d/super.new 0",     "write d/super.new 0+7",
                                          "sync d/super.new",   "rename d/super.new d/super", "sync_directory d"};
  CHECK(p.disk().take_operations() == expected);
}

TEST_CASE("a replaced file is the old or the new one after a power cut at any moment", "[disk]") {
  bool saw_old = false;
  bool saw_new = false;
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    SimWorld world(seed);
    SimProcess& p = world.process("p");
    REQUIRE(run(world, replace_file(p.disk(), "super", "the old content")).ok());
    bool ended = false;
    {
      Scope scope;
      scope.spawn(sim::detail::keep_end(
          [](Disk& disk) -> Task<void> { (void)co_await replace_file(disk, "super", "new"); }(p.disk()), &ended));
      world.run_for(Duration(world.random().below(6'000'000)));
    }
    p.power_cut();
    const Result<std::string> content = read_small_file(p.disk(), "super", 100);
    REQUIRE(content.ok());
    if (ended) CHECK(*content == "new");
    CHECK((*content == "the old content" || *content == "new"));
    (*content == "new" ? saw_new : saw_old) = true;
  }
  CHECK(saw_old);
  CHECK(saw_new);
}

TEST_CASE("a small file is refused when it is missing or large", "[disk]") {
  SimWorld world;
  sim::SimDisk& disk = world.process("p").disk();
  CHECK(read_small_file(disk, "x", 10).code() == ErrorCode::NotFound);
  disk.put("x", "12345678901");
  CHECK(read_small_file(disk, "x", 10).code() == ErrorCode::Corruption);
  CHECK(*read_small_file(disk, "x", 11) == "12345678901");
}

}  // namespace mendfs
