#include "block/placement.h"
#include "tests/unit/metaserver/namespace/namespace_fixture.h"

namespace mendfs::metaserver {
namespace {

TEST_CASE_METHOD(NamespaceFixture, "the root belongs to who made the filesystem", "[namespace]") {
  const Attributes root = attributes(kRootInode);
  CHECK(root.mode == (S_IFDIR | 0755));
  CHECK(root.uid == 1000);
  CHECK(root.gid == 100);
  CHECK(root.link_count == 2);
  CHECK(root.layout.slot_count == 5);
  CHECK(root.layout.copy_count == 2);
  CHECK(root.layout.block_size == 512);
  CHECK(*names->inode_count() == 1);
  CHECK(inode_of(kRootInode, "..") == kRootInode);
  CHECK(inode_of(kRootInode, ".") == kRootInode);
}

TEST_CASE_METHOD(NamespaceFixture, "every type of inode is made as mknod(2) does", "[namespace]") {
  struct Case {
    std::uint32_t mode;
    std::uint32_t expected;
    std::uint64_t rdev;
  };
  for (const Case& each : {Case{S_IFREG | 04755, S_IFREG | 04755, 0}, Case{0644, S_IFREG | 0644, 0},
                           Case{S_IFIFO | 0600, S_IFIFO | 0600, 0}, Case{S_IFSOCK | 0777, S_IFSOCK | 0777, 0},
                           Case{S_IFCHR | 0666, S_IFCHR | 0666, 0x103}, Case{S_IFBLK | 0660, S_IFBLK | 0660, 0x103}}) {
    protocol::MakeRequest request = make_request(kRootInode, "x" + std::to_string(each.mode), each.mode);
    request.rdev = 0x103;
    const Attributes made = expect_ok(request);
    CHECK(made.mode == each.expected);
    CHECK(made.rdev == each.rdev);
    CHECK(made.link_count == 1);
    CHECK(made.uid == 1000);
    CHECK(made.atime == now);
    CHECK(made.mtime == now);
    CHECK(made.ctime == now);
    CHECK(attributes(made.inode) == made);
  }
  CHECK(code(make_request(kRootInode, "odd", 0030000)) == ErrorCode::InvalidArgument);
}

TEST_CASE_METHOD(NamespaceFixture, "a directory counts its subdirectories as links and its parent's times move",
                 "[namespace]") {
  const InodeNumber directory_inode = directory(kRootInode, "d");
  CHECK(attributes(directory_inode).link_count == 2);
  CHECK(attributes(kRootInode).link_count == 3);
  CHECK(attributes(kRootInode).mtime == now);
  CHECK(attributes(kRootInode).ctime == now);
  CHECK(inode_of(directory_inode, "..") == kRootInode);
  file(directory_inode, "f");
  CHECK(attributes(directory_inode).link_count == 2);
  CHECK(*names->inode_count() == 3);
}

TEST_CASE_METHOD(NamespaceFixture, "names are judged as on Linux", "[namespace]") {
  file(kRootInode, "taken");
  struct Case {
    std::string name;
    ErrorCode expected;
  };
  for (const Case& each :
       {Case{"", ErrorCode::NotFound}, Case{".", ErrorCode::Exists}, Case{"..", ErrorCode::Exists},
        Case{"a/b", ErrorCode::InvalidArgument}, Case{std::string("a\0b", 3), ErrorCode::InvalidArgument},
        Case{std::string(255, 'n'), ErrorCode::Ok}, Case{std::string(256, 'n'), ErrorCode::NameTooLong},
        Case{"taken", ErrorCode::Exists}, Case{"line\nbreak \xff\xfe", ErrorCode::Ok}, Case{"...", ErrorCode::Ok}}) {
    INFO(each.name);
    CHECK(code(make_request(kRootInode, each.name, S_IFREG | 0644)) == each.expected);
  }
  CHECK(names->lookup(kRootInode, std::string(256, 'n')).code() == ErrorCode::NameTooLong);
  CHECK(names->lookup(kRootInode, "nothing").code() == ErrorCode::NotFound);
}

TEST_CASE_METHOD(NamespaceFixture, "things are made in directories that have a name only", "[namespace]") {
  const InodeNumber plain = file(kRootInode, "f");
  CHECK(code(make_request(plain, "x", S_IFREG)) == ErrorCode::NotDirectory);
  CHECK(code(make_request(12345, "x", S_IFREG)) == ErrorCode::StaleHandle);
  const InodeNumber removed = directory(kRootInode, "d");
  expect_ok(remove_request(kRootInode, "d", true));
  CHECK(code(make_request(removed, "x", S_IFREG)) == ErrorCode::NotFound);
  CHECK(code(link_request(plain, removed, "x")) == ErrorCode::NotFound);
  CHECK(code(rename_request(kRootInode, "f", removed, "x")) == ErrorCode::NotFound);
}

TEST_CASE_METHOD(NamespaceFixture, "symlinks keep their target and its size", "[namespace]") {
  protocol::MakeRequest request = make_request(kRootInode, "l", S_IFLNK);
  request.symlink_target = "/some/where";
  const Attributes link = expect_ok(request);
  CHECK(link.mode == (S_IFLNK | 0777));
  CHECK(link.size == 11);
  CHECK(*names->read_link(link.inode) == "/some/where");
  CHECK(names->read_link(kRootInode).code() == ErrorCode::InvalidArgument);

  request.name = "other";
  request.symlink_target = "";
  CHECK(code(request) == ErrorCode::NotFound);
  request.symlink_target = std::string(4096, 'x');
  CHECK(code(request) == ErrorCode::NameTooLong);
  request.symlink_target = std::string("a\0", 2);
  CHECK(code(request) == ErrorCode::InvalidArgument);
  request.symlink_target = std::string(4095, 'x');
  CHECK(code(request) == ErrorCode::Ok);
}

TEST_CASE_METHOD(NamespaceFixture, "below a set-group-id directory the group is inherited", "[namespace]") {
  const InodeNumber shared = directory(kRootInode, "shared");
  protocol::SetAttributesRequest change_mode;
  change_mode.inode = shared;
  change_mode.mode = 02775;
  change_mode.gid = 77;
  expect_ok(change_mode);
  const Attributes below = expect_ok(make_request(shared, "d", S_IFDIR | 0755));
  CHECK(below.gid == 77);
  CHECK(below.mode == (S_IFDIR | S_ISGID | 0755));
  const Attributes plain = expect_ok(make_request(shared, "f", S_IFREG | 0644));
  CHECK(plain.gid == 77);
  CHECK(plain.mode == (S_IFREG | 0644));
}

TEST_CASE_METHOD(NamespaceFixture, "a file starts at the slot of its path's hash, whatever was renamed",
                 "[namespace]") {
  const InodeNumber top = directory(kRootInode, "a");
  const InodeNumber below = directory(top, "b");
  const auto start_of = [&](const std::string& name) {
    return expect_ok(make_request(below, name, S_IFREG)).layout.start;
  };
  for (const char* name : {"1", "2", "3", "4", "5"})
    CHECK(start_of(name) == start_slot(std::string("/a/b/") + name, 5));
  CHECK(expect_ok(make_request(kRootInode, "f", S_IFREG)).layout.start == start_slot("/f", 5));

  expect_ok(rename_request(kRootInode, "a", kRootInode, "renamed"));
  for (const char* name : {"6", "7", "8", "9", "10"})
    CHECK(start_of(name) == start_slot(std::string("/renamed/b/") + name, 5));
  reopen();
  CHECK(start_of("11") == start_slot("/renamed/b/11", 5));
}

TEST_CASE_METHOD(NamespaceFixture, "inode numbers carry the epoch and are never given twice", "[namespace]") {
  const InodeNumber first = file(kRootInode, "1");
  CHECK(first >> kEpochShift == 1);
  expect_ok(remove_request(kRootInode, "1", false));
  const InodeNumber second = file(kRootInode, "2");
  CHECK(second > first);
  CHECK(*names->inode_high() == second);
  epoch = 3;
  CHECK(apply(StartEpoch{}).code == ErrorCode::Ok);
  CHECK(file(kRootInode, "3") >> kEpochShift == 3);
}

TEST_CASE_METHOD(NamespaceFixture, "directories have a limit of links", "[namespace]") {
  set_link_count(kRootInode, protocol::kLinkCountMax - 1);
  CHECK(code(make_request(kRootInode, "the last", S_IFDIR)) == ErrorCode::Ok);
  CHECK(code(make_request(kRootInode, "one more", S_IFDIR)) == ErrorCode::TooManyLinks);
  CHECK(code(make_request(kRootInode, "a file", S_IFREG)) == ErrorCode::Ok);
}

}  // namespace
}  // namespace mendfs::metaserver
