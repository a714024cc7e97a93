#include "fuseclient/convert.h"

#include <fcntl.h>
#include <linux/falloc.h>

#include <catch2/catch.hpp>

using namespace mendfs;
using namespace mendfs::fuse;

TEST_CASE("attributes become what stat shows, times before 1970 included", "[fuse]") {
  protocol::Attributes attributes;
  attributes.inode = 0xffff'0000'0000'0007;
  attributes.mode = S_IFREG | 06640;
  attributes.link_count = 3;
  attributes.size = 1025;
  attributes.mtime = -1;
  attributes.ctime = 1'700'000'000'123'456'789;
  const struct stat status = to_stat(attributes);
  CHECK(status.st_ino == attributes.inode);
  CHECK(status.st_mode == (S_IFREG | 06640));
  CHECK(status.st_nlink == 3);
  CHECK(status.st_size == 1025);
  CHECK(status.st_blocks == 3);
  CHECK(status.st_mtim.tv_sec == -1);
  CHECK(status.st_mtim.tv_nsec == 999'999'999);
  CHECK(status.st_ctim.tv_sec == 1'700'000'000);
  CHECK(status.st_ctim.tv_nsec == 123'456'789);
}

TEST_CASE("the kernel is told to keep what is kept true, and nothing else", "[fuse]") {
  const fuse_entry_param neither = to_entry(protocol::Attributes{}, {});
  CHECK(neither.attr_timeout == 0);
  CHECK(neither.entry_timeout == 0);
  CHECK(neither.generation == 0);
  const fuse_entry_param attributes = to_entry(protocol::Attributes{}, {.attributes = true, .name = false});
  CHECK(attributes.attr_timeout > 0);
  CHECK(attributes.entry_timeout == 0);
  const fuse_entry_param both = to_entry(protocol::Attributes{}, {.attributes = true, .name = true});
  CHECK(both.attr_timeout > 0);
  CHECK(both.entry_timeout > 0);
  protocol::Attributes directory;
  directory.mode = S_IFDIR | 0755;
  CHECK(to_entry(directory, {.attributes = true, .name = true}).entry_timeout <= 0.1);
}

TEST_CASE("setattr changes only what the kernel names", "[fuse]") {
  struct stat wanted {};
  wanted.st_mode = S_IFREG | 04755;
  wanted.st_uid = 7;
  wanted.st_size = 99;
  wanted.st_atim = {.tv_sec = 5, .tv_nsec = 6};

  SECTION("nothing") {
    const auto request = to_set_attributes(3, wanted, 0);
    CHECK(request.inode == 3);
    CHECK_FALSE(request.mode.has_value());
    CHECK_FALSE(request.uid.has_value());
    CHECK_FALSE(request.gid.has_value());
    CHECK_FALSE(request.size.has_value());
    CHECK_FALSE(request.atime.has_value());
    CHECK_FALSE(request.mtime.has_value());
  }
  SECTION("mode without the type, owner, size and a given time") {
    const auto request =
        to_set_attributes(3, wanted, FUSE_SET_ATTR_MODE | FUSE_SET_ATTR_UID | FUSE_SET_ATTR_SIZE | FUSE_SET_ATTR_ATIME);
    CHECK(request.mode == 04755u);
    CHECK(request.uid == 7u);
    CHECK(request.size == 99u);
    REQUIRE(request.atime.has_value());
    CHECK_FALSE(request.atime->now);
    CHECK(request.atime->time == 5'000'000'006);
  }
  SECTION("UTIME_NOW is the metaserver's clock") {
    const auto request = to_set_attributes(3, wanted, FUSE_SET_ATTR_MTIME | FUSE_SET_ATTR_MTIME_NOW);
    REQUIRE(request.mtime.has_value());
    CHECK(request.mtime->now);
  }
  SECTION("a time too far away is held at the end of what fits") {
    wanted.st_atim.tv_sec = INT64_MAX;
    const auto request = to_set_attributes(3, wanted, FUSE_SET_ATTR_ATIME);
    REQUIRE(request.atime.has_value());
    CHECK(request.atime->time > 9'000'000'000'000'000'000);
  }
}

TEST_CASE("open flags", "[fuse]") {
  CHECK(to_open_flags(O_RDONLY).read);
  CHECK_FALSE(to_open_flags(O_RDONLY).write);
  CHECK_FALSE(to_open_flags(O_WRONLY).read);
  CHECK(to_open_flags(O_WRONLY).write);
  CHECK(to_open_flags(O_RDWR | O_APPEND).append);
  CHECK(to_open_flags(O_RDWR).read);
  CHECK(to_open_flags(O_RDWR).write);
  CHECK(to_open_flags(O_WRONLY | O_SYNC).sync);
  CHECK(to_open_flags(O_WRONLY | O_DSYNC).sync);
  CHECK_FALSE(to_open_flags(O_WRONLY).sync);
  CHECK(to_open_flags(O_RDONLY | O_NOATIME).noatime);
}

TEST_CASE("fallocate modes, and those that do not exist here", "[fuse]") {
  CHECK(*to_allocate_mode(0) == client::AllocateMode::Extend);
  CHECK(*to_allocate_mode(FALLOC_FL_KEEP_SIZE) == client::AllocateMode::KeepSize);
  CHECK(*to_allocate_mode(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE) == client::AllocateMode::PunchHole);
  CHECK(*to_allocate_mode(FALLOC_FL_ZERO_RANGE) == client::AllocateMode::ZeroRange);
  CHECK(to_allocate_mode(FALLOC_FL_COLLAPSE_RANGE).code() == ErrorCode::NotSupported);
  CHECK(to_allocate_mode(FALLOC_FL_PUNCH_HOLE).code() == ErrorCode::NotSupported);
}

TEST_CASE("rename flags: either, not both, nothing else", "[fuse]") {
  protocol::RenameRequest request;
  CHECK(set_rename_flags(0, request).ok());
  CHECK_FALSE(request.no_replace);
  CHECK(set_rename_flags(RENAME_NOREPLACE, request).ok());
  CHECK(request.no_replace);
  CHECK(set_rename_flags(RENAME_EXCHANGE, request).ok());
  CHECK(request.exchange);
  CHECK(set_rename_flags(RENAME_NOREPLACE | RENAME_EXCHANGE, request).code() == ErrorCode::InvalidArgument);
  CHECK(set_rename_flags(RENAME_WHITEOUT, request).code() == ErrorCode::InvalidArgument);
}

TEST_CASE("df shows bytes in whole units and the longest name", "[fuse]") {
  const struct statvfs status = to_statvfs({.total_bytes = 10 * 4096 + 5, .free_bytes = 3 * 4096, .inode_count = 17});
  CHECK(status.f_blocks == 10);
  CHECK(status.f_bavail == 3);
  CHECK(status.f_frsize == 4096);
  CHECK(status.f_namemax == 255);
  CHECK(status.f_files == 20);
}
