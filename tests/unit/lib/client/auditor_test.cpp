// When the copies that reads did not give out are checked.
#include "client/auditor.h"

#include <catch2/catch.hpp>

#include "protocol/timing.h"
#include "tests/unit/lib/client/mounted.h"

namespace mendfs::client {
namespace {

using namespace std::chrono_literals;

constexpr std::uint32_t kPage = 4096;
constexpr std::uint32_t kPages = 256;

struct Audited : Mounted {
  Audited() : Mounted(4) {
    file = create("a");
    write(file.handle, 0, pattern(kPages * kPage, 3));
    flush(file.handle);
  }
  void read_page(std::uint32_t i) { REQUIRE(read(file.handle, i * 101 % kPages * kPage, kPage).size() == kPage); }
  std::uint32_t messages() const {
    std::uint32_t count = 0;
    for (const FakeStore& store : cluster.stores) count += store.audits;
    return count;
  }
  std::uint64_t audited() const { return filesystem->counters().blocks_audited; }
  void run_for(Duration time) { cluster.world.run_for(time); }

  Opened file;
};

}  // namespace

TEST_CASE("while reads follow one another other copies wait, and are then checked in few messages", "[client]") {
  Audited mount;
  for (std::uint32_t i = 0; i < 100; ++i) {
    mount.read_page(i);
    mount.run_for(1ms);
  }
  CHECK(mount.messages() == 0);
  mount.run_for(100ms);
  CHECK(mount.audited() == 100 * kPage / 512);
  CHECK(mount.messages() == 2);  // every second server gave the data
}

TEST_CASE("reads that never end put checks off by half a second at most", "[client]") {
  Audited mount;
  const Time begin = mount.cluster.world.now();
  for (std::uint32_t i = 0; mount.cluster.world.now() < begin + timing::kAuditWaitMax + 50ms; ++i) {
    mount.read_page(i);
    mount.run_for(1ms);
  }
  CHECK(mount.audited() > 0);
}

TEST_CASE("what was read just before an unmount is checked", "[client]") {
  Audited mount;
  mount.read_page(7);
  CHECK(mount.audited() == 0);
  const Time deadline = mount.cluster.world.now() + 5s;
  mount.cluster.run(mount.filesystem->unmount(deadline));
  CHECK(mount.audited() == kPage / 512);
  CHECK(mount.cluster.world.now() < deadline);
}

TEST_CASE("what this mount writes after a read is not taken for a copy that is old", "[client]") {
  Audited mount;
  mount.read_page(0);
  mount.write(mount.file.handle, 0, pattern(kPage, 5));
  mount.flush(mount.file.handle);
  mount.run_for(1s);
  for (const FakeStore& store : mount.cluster.stores) CHECK(store.repairs == 0);
}

}  // namespace mendfs::client
