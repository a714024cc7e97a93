#include "tests/unit/metaserver/namespace/namespace_fixture.h"

namespace mendfs::metaserver {
namespace {

struct XattrFixture : NamespaceFixture {
  InodeNumber inode = file(kRootInode, "f");

  protocol::SetXattrRequest set(const std::string& name, const std::string& value) const {
    protocol::SetXattrRequest request;
    request.inode = inode;
    request.name = name;
    request.value = value;
    return request;
  }
  protocol::RemoveXattrRequest remove(const std::string& name) const {
    protocol::RemoveXattrRequest request;
    request.inode = inode;
    request.name = name;
    return request;
  }
};

TEST_CASE_METHOD(XattrFixture, "extended attributes are kept as they are", "[namespace]") {
  CHECK(names->xattr(inode, "user.a").code() == ErrorCode::NoAttribute);
  CHECK(names->xattr_names(inode)->empty());
  expect_ok(set("user.a", std::string("\0\xff", 2)));
  CHECK(attributes(inode).ctime == now);
  expect_ok(set("security.capability", ""));
  expect_ok(set("trusted.b", "1"));
  expect_ok(set("user.a", "longer"));
  CHECK(*names->xattr(inode, "user.a") == "longer");
  CHECK(names->xattr(inode, "security.capability")->empty());
  CHECK(names->xattr(inode, "user.").code() == ErrorCode::NoAttribute);
  CHECK(*names->xattr_names(inode) == std::vector<std::string>{"security.capability", "trusted.b", "user.a"});
  expect_ok(remove("user.a"));
  CHECK(code(remove("user.a")) == ErrorCode::NoAttribute);
  CHECK(names->xattr_names(inode)->size() == 2);
  CHECK(names->xattr_names(kRootInode)->empty());
  CHECK(names->xattr(999, "user.a").code() == ErrorCode::StaleHandle);
}

TEST_CASE_METHOD(XattrFixture, "XATTR_CREATE and XATTR_REPLACE are heeded", "[namespace]") {
  protocol::SetXattrRequest request = set("user.a", "1");
  request.replace = true;
  CHECK(code(request) == ErrorCode::NoAttribute);
  request.create = true;
  CHECK(code(request) == ErrorCode::InvalidArgument);
  request.replace = false;
  CHECK(code(request) == ErrorCode::Ok);
  CHECK(code(request) == ErrorCode::Exists);
  request.create = false;
  request.replace = true;
  CHECK(code(request) == ErrorCode::Ok);
}

TEST_CASE_METHOD(XattrFixture, "names and sizes of extended attributes are bounded", "[namespace]") {
  struct Case {
    std::string name;
    std::size_t size;
    ErrorCode expected;
  };
  for (const Case& each :
       {Case{"user.ok", 65536, ErrorCode::Ok}, Case{"user.big", 65537, ErrorCode::TooBig},
        Case{"user.", 1, ErrorCode::InvalidArgument}, Case{"", 1, ErrorCode::TooSmall},
        Case{"user." + std::string(251, 'x'), 1, ErrorCode::TooSmall},
        Case{"user." + std::string(250, 'x'), 1, ErrorCode::Ok},
        Case{std::string("user.\0x", 7), 1, ErrorCode::InvalidArgument},
        Case{"system.posix_acl_access", 1, ErrorCode::NotSupported}, Case{"nothing", 1, ErrorCode::NotSupported}}) {
    INFO(each.name);
    CHECK(code(set(each.name, std::string(each.size, 'v'))) == each.expected);
  }
}

TEST_CASE_METHOD(XattrFixture, "one inode's extended attributes are bounded in all", "[namespace]") {
  expect_ok(set("user.a", std::string(65536, 'v')));
  expect_ok(set("user.b", std::string(65000, 'v')));
  CHECK(code(set("user.c", std::string(1000, 'v'))) == ErrorCode::NoSpace);
  CHECK(code(set("user.b", "short")) == ErrorCode::Ok);
  CHECK(code(set("user.c", std::string(1000, 'v'))) == ErrorCode::Ok);
  for (std::uint32_t i = 3; i < kXattrCountMax; ++i)
    REQUIRE(code(set("user.n" + std::to_string(i), "")) == ErrorCode::Ok);
  CHECK(code(set("user.one.more", "")) == ErrorCode::NoSpace);
  expect_ok(remove("user.n3"));
  CHECK(code(set("user.one.more", "")) == ErrorCode::Ok);
}

}  // namespace
}  // namespace mendfs::metaserver
