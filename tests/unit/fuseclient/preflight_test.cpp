#include "fuseclient/preflight.h"

#include <catch2/catch.hpp>
#include <string>

using namespace mendfs;
using namespace mendfs::fuse;

TEST_CASE("user_allow_other counts only as a line of its own", "[fuse]") {
  CHECK(allows_user_allow_other("mount_max = 5\nuser_allow_other\n"));
  CHECK(allows_user_allow_other("  user_allow_other  # for all"));
  CHECK_FALSE(allows_user_allow_other("#user_allow_other\n"));
  CHECK_FALSE(allows_user_allow_other("user_allow_other_not\n"));
  CHECK_FALSE(allows_user_allow_other(""));
}

TEST_CASE("a mountpoint that cannot be used is refused with what to do", "[fuse]") {
  auto refusal = [](const std::string& mountpoint) {
    const auto checked = check_before_mount(mountpoint, MountOptions{});
    REQUIRE_FALSE(checked.ok());
    return checked.error().message;
  };
  CHECK_THAT(refusal("/nonexistent/place"), Catch::Contains("mkdir /nonexistent/place"));
  CHECK_THAT(refusal("/etc/passwd"), Catch::Contains("not a directory"));
  CHECK_THAT(refusal("/etc"), Catch::Contains("not empty"));
}
