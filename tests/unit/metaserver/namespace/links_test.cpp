#include "tests/unit/metaserver/namespace/namespace_fixture.h"

namespace mendfs::metaserver {
namespace {

TEST_CASE_METHOD(NamespaceFixture, "a file has as many names as links, and goes with the last", "[namespace]") {
  const InodeNumber inode = file(kRootInode, "a");
  const InodeNumber below = directory(kRootInode, "d");
  const Attributes linked = expect_ok(link_request(inode, below, "b"));
  CHECK(linked.link_count == 2);
  CHECK(linked.ctime == now);
  CHECK(attributes(below).mtime == now);
  CHECK(inode_of(below, "b") == inode);

  expect_ok(remove_request(kRootInode, "a", false));
  CHECK(attributes(inode).link_count == 1);
  CHECK(attributes(inode).ctime == now);
  CHECK(names->orphans(0, 10)->empty());
  expect_ok(remove_request(below, "b", false));
  CHECK(attributes(inode).link_count == 0);
  CHECK(*names->orphans(0, 10) == std::vector<InodeNumber>{inode});
  CHECK(code(link_request(inode, kRootInode, "again")) == ErrorCode::NotFound);
}

TEST_CASE_METHOD(NamespaceFixture, "links are refused as by link(2)", "[namespace]") {
  const InodeNumber inode = file(kRootInode, "f");
  const InodeNumber below = directory(kRootInode, "d");
  CHECK(code(link_request(below, kRootInode, "x")) == ErrorCode::NotPermitted);
  CHECK(code(link_request(inode, kRootInode, "d")) == ErrorCode::Exists);
  CHECK(code(link_request(inode, kRootInode, "..")) == ErrorCode::Exists);
  CHECK(code(link_request(inode, inode, "x")) == ErrorCode::NotDirectory);
  CHECK(code(link_request(99, kRootInode, "x")) == ErrorCode::StaleHandle);
  CHECK(code(link_request(inode, kRootInode, std::string(256, 'x'))) == ErrorCode::NameTooLong);
}

TEST_CASE_METHOD(NamespaceFixture, "a file has a limit of names", "[namespace]") {
  const InodeNumber inode = file(kRootInode, "f");
  set_link_count(inode, protocol::kLinkCountMax - 1);
  CHECK(code(link_request(inode, kRootInode, "the last")) == ErrorCode::Ok);
  CHECK(code(link_request(inode, kRootInode, "one more")) == ErrorCode::TooManyLinks);
}

TEST_CASE_METHOD(NamespaceFixture, "removals are refused as by unlink(2) and rmdir(2)", "[namespace]") {
  file(kRootInode, "file");
  const InodeNumber full = directory(kRootInode, "full");
  file(full, "x");
  directory(kRootInode, "empty");
  struct Case {
    std::string name;
    bool directory;
    ErrorCode expected;
  };
  for (const Case& each :
       {Case{"nothing", false, ErrorCode::NotFound}, Case{"nothing", true, ErrorCode::NotFound},
        Case{"file", true, ErrorCode::NotDirectory}, Case{"empty", false, ErrorCode::IsDirectory},
        Case{"full", true, ErrorCode::NotEmpty}, Case{".", true, ErrorCode::InvalidArgument},
        Case{"..", true, ErrorCode::NotEmpty}, Case{".", false, ErrorCode::IsDirectory},
        Case{"", false, ErrorCode::NotFound}, Case{std::string(256, 'x'), false, ErrorCode::NameTooLong},
        Case{"file", false, ErrorCode::Ok}, Case{"empty", true, ErrorCode::Ok}}) {
    INFO(each.name << " " << each.directory);
    CHECK(code(remove_request(kRootInode, each.name, each.directory)) == each.expected);
  }
  CHECK(attributes(kRootInode).link_count == 3);
  CHECK(attributes(kRootInode).mtime == now);
}

TEST_CASE_METHOD(NamespaceFixture, "a removed directory is empty, nameless and still there for who stands in it",
                 "[namespace]") {
  const InodeNumber removed = directory(kRootInode, "d");
  expect_ok(remove_request(kRootInode, "d", true));
  CHECK(attributes(removed).link_count == 0);
  CHECK(names->read_directory(removed, 0, 10)->entries.empty());
  CHECK(apply(DeleteInode{removed}).code == ErrorCode::Ok);
  CHECK(names->attributes(removed).code() == ErrorCode::StaleHandle);
  CHECK(names->orphans(0, 10)->empty());
  CHECK(names->deletions(0, 10)->empty());
}

TEST_CASE_METHOD(NamespaceFixture, "a deleted file goes from orphan over deletion to nothing", "[namespace]") {
  const InodeNumber inode = file(kRootInode, "f");
  CHECK(apply(DeleteInode{inode}).code == ErrorCode::InvalidArgument);
  CHECK(apply(ForgetInode{inode}).code == ErrorCode::StaleHandle);
  protocol::SetXattrRequest xattr;
  xattr.inode = inode;
  xattr.name = "user.a";
  expect_ok(xattr);
  expect_ok(open_for_write(inode));
  expect_ok(remove_request(kRootInode, "f", false));
  CHECK(code(open_for_write(inode)) == ErrorCode::Ok);  // through a handle it has
  const std::uint64_t count = *names->inode_count();

  CHECK(apply(DeleteInode{inode}).code == ErrorCode::Ok);
  CHECK(*names->inode_count() == count - 1);
  CHECK(names->attributes(inode).code() == ErrorCode::StaleHandle);
  CHECK(code(settle_size(inode, 0, 10)) == ErrorCode::StaleHandle);
  CHECK(code(set_size(inode, 0)) == ErrorCode::StaleHandle);
  CHECK(apply(DeleteInode{inode}).code == ErrorCode::StaleHandle);
  CHECK(names->orphans(0, 10)->empty());
  REQUIRE(names->deletions(0, 10)->size() == 1);
  CHECK(names->deletions(0, 10)->front().inode == inode);
  CHECK(names->deletions(0, 10)->front().layout.slot_count == 5);
  // A session that ends later finds no mark of a file that is going.
  CHECK(apply(CloseSession{kSession}).code == ErrorCode::Ok);
  CHECK(names->recoveries(0, 10)->empty());

  CHECK(apply(ForgetInode{inode}).code == ErrorCode::Ok);
  CHECK(names->deletions(0, 10)->empty());
  for (const auto& [key, value] : all_keys()) CHECK(key.find("user.a") == std::string::npos);
}

TEST_CASE_METHOD(NamespaceFixture, "queues are read in pages and remember nothing wrong", "[namespace]") {
  std::vector<InodeNumber> inodes;
  for (int i = 0; i < 5; ++i) inodes.push_back(file(kRootInode, std::to_string(i)));
  CHECK(names->orphans(0, 10)->empty());
  for (const int i : {3, 1, 4}) expect_ok(remove_request(kRootInode, std::to_string(i), false));
  CHECK(*names->orphans(0, 10) == std::vector<InodeNumber>{inodes[1], inodes[3], inodes[4]});
  CHECK(*names->orphans(0, 2) == std::vector<InodeNumber>{inodes[1], inodes[3]});
  CHECK(*names->orphans(inodes[1], 2) == std::vector<InodeNumber>{inodes[3], inodes[4]});
  CHECK(names->orphans(inodes[4], 2)->empty());
  CHECK(names->orphans(UINT64_MAX, 2)->empty());
  for (const int i : {1, 3, 4}) CHECK(apply(DeleteInode{inodes[i]}).code == ErrorCode::Ok);
  CHECK(names->orphans(0, 10)->empty());
  expect_ok(remove_request(kRootInode, "0", false));
  CHECK(*names->orphans(0, 10) == std::vector<InodeNumber>{inodes[0]});
  reopen();
  CHECK(*names->orphans(0, 10) == std::vector<InodeNumber>{inodes[0]});
}

}  // namespace
}  // namespace mendfs::metaserver
