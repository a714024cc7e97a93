#include "fuseclient/mountinfo.h"

#include <catch2/catch.hpp>

using namespace mendfs::fuse;

namespace {
const std::string kTable =
    "22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda1 rw\n"
    "40 22 0:35 / /mnt/a\\040b\\134c rw,nosuid shared:7 master:2 - fuse.mendfs mendfs rw,user_id=0\n"
    "nonsense\n"
    "41 22 0:36 / /mnt/x rw - tmpfs tmpfs rw\n"
    "42 41 0:37 / /mnt/x rw - fuse.mendfs mendfs rw\n";
}

TEST_CASE("mountinfo is read with its escapes and optional fields", "[fuse]") {
  const auto mounts = parse_mountinfo(kTable);
  REQUIRE(mounts.size() == 4);
  CHECK(mounts[1] == MountEntry{.id = 40, .device = "0:35", .mountpoint = "/mnt/a b\\c", .type = "fuse.mendfs"});
}

TEST_CASE("of several mounts on one directory the last is the one seen", "[fuse]") {
  const auto mounts = parse_mountinfo(kTable);
  REQUIRE(mounted_at(mounts, "/mnt/x").has_value());
  CHECK(mounted_at(mounts, "/mnt/x")->id == 42);
  CHECK_FALSE(mounted_at(mounts, "/mnt").has_value());
}

TEST_CASE("a mountinfo cut short anywhere is read as far as it goes", "[fuse]") {
  for (std::size_t size = 0; size <= kTable.size(); ++size) {
    CHECK(parse_mountinfo(std::string_view(kTable).substr(0, size)).size() <= 4);
  }
}
