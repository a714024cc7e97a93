#include "fuseclient/mount_options.h"

#include <catch2/catch.hpp>

using namespace mendfs;
using namespace mendfs::fuse;

TEST_CASE("mount options are taken as mount takes them, later words win", "[fuse]") {
  MountOptions options;
  REQUIRE(add_mount_options("ro,allow_other,timeout=30,noatime,fsname=box", options).ok());
  REQUIRE(add_mount_options("rw,suid,,noexec,default_permissions", options).ok());
  CHECK_FALSE(options.read_only);
  CHECK(options.allow_other);
  CHECK(options.noatime);
  CHECK(options.timeout == std::chrono::seconds(30));
  CHECK(libfuse_options(options) == "default_permissions,subtype=mendfs,fsname=box,allow_other,noatime,suid,noexec");
}

TEST_CASE("permissions are the kernel's to check, whatever is asked", "[fuse]") {
  CHECK(libfuse_options(MountOptions{}) == "default_permissions,subtype=mendfs,fsname=mendfs");
}

TEST_CASE("a wrong mount option is named", "[fuse]") {
  const std::string word = GENERATE(as<std::string>(), "alow_other", "timeout=", "timeout=soon", "timeout=-1",
                                    "timeout=9999999999", "timeout=1.5", "fsname=", "ro ");
  MountOptions options;
  const Result<void> added = add_mount_options("noatime," + word, options);
  REQUIRE_FALSE(added.ok());
  CHECK(added.code() == ErrorCode::InvalidArgument);
  CHECK_THAT(added.error().message, Catch::Contains(word));
}
