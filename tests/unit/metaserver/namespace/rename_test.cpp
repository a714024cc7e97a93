#include "tests/unit/metaserver/namespace/namespace_fixture.h"

namespace mendfs::metaserver {
namespace {

/// /file /other  /empty/  /full/x  /full/sub/deep/   and `twin`, another name of /file.
struct RenameFixture : NamespaceFixture {
  InodeNumber file_inode = file(kRootInode, "file");
  InodeNumber other = file(kRootInode, "other");
  InodeNumber empty = directory(kRootInode, "empty");
  InodeNumber full = directory(kRootInode, "full");
  InodeNumber inner = file(full, "x");
  InodeNumber sub = directory(full, "sub");
  InodeNumber deep = directory(sub, "deep");
  RenameFixture() { expect_ok(link_request(file_inode, kRootInode, "twin")); }
};

TEST_CASE_METHOD(RenameFixture, "renames are refused as by renameat2(2)", "[namespace]") {
  enum Flag { None, NoReplace, Exchange, Both };
  struct Case {
    InodeNumber parent;
    std::string name;
    InodeNumber new_parent;
    std::string new_name;
    Flag flag;
    ErrorCode expected;
  };
  const std::vector<Case> cases = {
      {kRootInode, "nothing", kRootInode, "x", None, ErrorCode::NotFound},
      {kRootInode, "nothing", kRootInode, "file", NoReplace, ErrorCode::NotFound},
      {kRootInode, "file", kRootInode, "x", Both, ErrorCode::InvalidArgument},
      {kRootInode, "file", kRootInode, "other", NoReplace, ErrorCode::Exists},
      {kRootInode, "file", kRootInode, "twin", NoReplace, ErrorCode::Exists},
      {kRootInode, "file", kRootInode, "x", Exchange, ErrorCode::NotFound},
      {kRootInode, "file", kRootInode, "empty", None, ErrorCode::IsDirectory},
      {kRootInode, "empty", kRootInode, "file", None, ErrorCode::NotDirectory},
      {kRootInode, "empty", kRootInode, "full", None, ErrorCode::NotEmpty},
      {kRootInode, "full", full, "y", None, ErrorCode::InvalidArgument},
      {kRootInode, "full", sub, "y", None, ErrorCode::InvalidArgument},
      {kRootInode, "full", deep, "y", NoReplace, ErrorCode::InvalidArgument},
      {kRootInode, "full", deep, "y", None, ErrorCode::InvalidArgument},
      {kRootInode, "full", full, "sub", Exchange, ErrorCode::InvalidArgument},
      {kRootInode, "empty", empty, "y", None, ErrorCode::InvalidArgument},
      {full, "sub", kRootInode, "full", None, ErrorCode::NotEmpty},
      {full, "sub", kRootInode, "full", Exchange, ErrorCode::InvalidArgument},
      {full, "x", kRootInode, "full", None, ErrorCode::NotEmpty},
      {full, "x", kRootInode, "full", Exchange, ErrorCode::InvalidArgument},
      {kRootInode, ".", kRootInode, "x", None, ErrorCode::Busy},
      {kRootInode, "..", kRootInode, "x", None, ErrorCode::Busy},
      {kRootInode, "file", kRootInode, ".", None, ErrorCode::Busy},
      {kRootInode, "file", kRootInode, "..", NoReplace, ErrorCode::Exists},
      {kRootInode, "", kRootInode, "x", None, ErrorCode::NotFound},
      {kRootInode, "file", kRootInode, std::string(256, 'x'), None, ErrorCode::NameTooLong},
      {kRootInode, "file", kRootInode, "a/b", None, ErrorCode::InvalidArgument},
      {file_inode, "x", kRootInode, "x", None, ErrorCode::NotDirectory},
      {kRootInode, "file", other, "x", None, ErrorCode::NotDirectory},
      {kRootInode, "file", 4711, "x", None, ErrorCode::StaleHandle},
  };
  const auto before = *names->read_directory(kRootInode, 0, 100);
  for (const Case& each : cases) {
    protocol::RenameRequest request = rename_request(each.parent, each.name, each.new_parent, each.new_name);
    request.no_replace = each.flag == NoReplace || each.flag == Both;
    request.exchange = each.flag == Exchange || each.flag == Both;
    INFO(each.name << " -> " << each.new_name << " flag " << each.flag);
    CHECK(code(request) == each.expected);
  }
  const auto after = *names->read_directory(kRootInode, 0, 100);
  REQUIRE(after.entries.size() == before.entries.size());
  for (std::size_t i = 0; i < after.entries.size(); ++i)
    CHECK(after.entries[i].attributes == before.entries[i].attributes);
}

TEST_CASE_METHOD(RenameFixture, "a file moves, and both directories and the file say so", "[namespace]") {
  expect_ok(rename_request(kRootInode, "file", full, "moved"));
  CHECK(inode_of(kRootInode, "file") == 0);
  CHECK(inode_of(full, "moved") == file_inode);
  CHECK(attributes(file_inode).ctime == now);
  CHECK(attributes(file_inode).link_count == 2);
  for (const InodeNumber parent : {kRootInode, full}) {
    CHECK(attributes(parent).mtime == now);
    CHECK(attributes(parent).ctime == now);
  }
  // What moved away does not keep its old directory from being removed.
  expect_ok(rename_request(full, "moved", kRootInode, "file"));
  expect_ok(remove_request(full, "x", false));
  expect_ok(remove_request(sub, "deep", true));
  expect_ok(remove_request(full, "sub", true));
  CHECK(code(remove_request(kRootInode, "full", true)) == ErrorCode::Ok);
}

TEST_CASE_METHOD(RenameFixture, "a replaced file loses that name, its last makes it an orphan", "[namespace]") {
  expect_ok(rename_request(kRootInode, "other", kRootInode, "twin"));
  CHECK(inode_of(kRootInode, "twin") == other);
  CHECK(attributes(file_inode).link_count == 1);
  CHECK(attributes(file_inode).ctime == now);
  CHECK(names->orphans(0, 10)->empty());
  expect_ok(rename_request(kRootInode, "twin", kRootInode, "file"));
  CHECK(attributes(file_inode).link_count == 0);
  CHECK(*names->orphans(0, 10) == std::vector<InodeNumber>{file_inode});
}

TEST_CASE_METHOD(RenameFixture, "two names of one file stay two", "[namespace]") {
  const Attributes before = attributes(file_inode);
  expect_ok(rename_request(kRootInode, "file", kRootInode, "twin"));
  expect_ok(rename_request(kRootInode, "file", kRootInode, "file"));
  CHECK(inode_of(kRootInode, "file") == file_inode);
  CHECK(inode_of(kRootInode, "twin") == file_inode);
  CHECK(attributes(file_inode) == before);
}

TEST_CASE_METHOD(RenameFixture, "a directory that moves takes its link and its parent along", "[namespace]") {
  expect_ok(rename_request(full, "sub", empty, "moved"));
  CHECK(attributes(full).link_count == 2);
  CHECK(attributes(empty).link_count == 3);
  CHECK(inode_of(sub, "..") == empty);
  CHECK(inode_of(deep, "..") == sub);
  // Replaces an empty directory, which goes.
  expect_ok(rename_request(empty, "moved", kRootInode, "new"));
  const std::uint32_t links = attributes(kRootInode).link_count;
  expect_ok(rename_request(kRootInode, "new", kRootInode, "empty"));
  CHECK(attributes(kRootInode).link_count == links - 1);
  CHECK(attributes(empty).link_count == 0);
  CHECK(*names->orphans(0, 10) == std::vector<InodeNumber>{empty});
  CHECK(inode_of(kRootInode, "empty") == sub);
}

TEST_CASE_METHOD(RenameFixture, "an exchange swaps anything with anything", "[namespace]") {
  protocol::RenameRequest request = rename_request(kRootInode, "file", full, "sub");
  request.exchange = true;
  expect_ok(request);
  CHECK(inode_of(kRootInode, "file") == sub);
  CHECK(inode_of(full, "sub") == file_inode);
  CHECK(inode_of(sub, "..") == kRootInode);
  CHECK(attributes(kRootInode).link_count == 5);
  CHECK(attributes(full).link_count == 2);
  CHECK(attributes(sub).ctime == now);
  CHECK(attributes(file_inode).ctime == now);
  CHECK(names->orphans(0, 10)->empty());

  request = rename_request(kRootInode, "file", kRootInode, "empty");
  request.exchange = true;
  expect_ok(request);
  CHECK(inode_of(kRootInode, "file") == empty);
  CHECK(inode_of(kRootInode, "empty") == sub);
  CHECK(attributes(kRootInode).link_count == 5);
  CHECK(names->resolve("/empty/deep")->inode == deep);
  request = rename_request(kRootInode, "file", kRootInode, "twin");
  request.exchange = true;
  expect_ok(request);
  CHECK(inode_of(kRootInode, "twin") == empty);
  expect_ok(remove_request(kRootInode, "twin", true));
}

TEST_CASE_METHOD(RenameFixture, "a full directory of links takes no more by rename, but may exchange", "[namespace]") {
  directory(empty, "100");
  directory(empty, "101");
  set_link_count(empty, protocol::kLinkCountMax);
  CHECK(code(rename_request(full, "sub", empty, "new")) == ErrorCode::TooManyLinks);
  CHECK(code(rename_request(kRootInode, "file", empty, "new")) == ErrorCode::Ok);
  CHECK(code(rename_request(full, "sub", empty, "100")) == ErrorCode::Ok);
  CHECK(code(rename_request(empty, "101", empty, "other name")) == ErrorCode::Ok);
  protocol::RenameRequest exchange = rename_request(kRootInode, "full", empty, "new");
  exchange.exchange = true;
  CHECK(code(exchange) == ErrorCode::TooManyLinks);
}

TEST_CASE_METHOD(NamespaceFixture, "a rename below a deep chain finds a circle at any depth", "[namespace]") {
  InodeNumber at = directory(kRootInode, "top");
  const InodeNumber top = at;
  for (int depth = 0; depth < 500; ++depth) at = directory(at, "d");
  CHECK(code(rename_request(kRootInode, "top", at, "x")) == ErrorCode::InvalidArgument);
  CHECK(code(rename_request(top, "d", kRootInode, "free")) == ErrorCode::Ok);
  CHECK(code(rename_request(kRootInode, "top", at, "x")) == ErrorCode::Ok);
  CHECK(inode_of(top, "..") == at);
}

}  // namespace
}  // namespace mendfs::metaserver
