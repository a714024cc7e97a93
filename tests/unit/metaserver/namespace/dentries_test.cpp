#include "metaserver/namespace/dentries.h"

#include <algorithm>
#include <map>
#include <set>

#include "tests/unit/metaserver/namespace/namespace_fixture.h"

namespace mendfs::metaserver {
namespace {

std::vector<std::string> list(NamespaceFixture& fixture, InodeNumber directory, std::uint32_t page) {
  std::vector<std::string> found;
  std::uint64_t cookie = 0;
  for (;;) {
    auto reply = fixture.names->read_directory(directory, cookie, page);
    REQUIRE(reply.ok());
    for (const protocol::Dentry& entry : reply->entries) {
      CHECK(entry.cookie > std::max<std::uint64_t>(cookie, 2));
      CHECK(entry.cookie <= INT64_MAX);
      found.push_back(entry.name);
    }
    if (reply->end) return found;
    REQUIRE(!reply->entries.empty());
    cookie = reply->entries.back().cookie;
  }
}

TEST_CASE_METHOD(NamespaceFixture, "pages of any size list every name once, with its attributes", "[namespace]") {
  const InodeNumber inode = directory(kRootInode, "d");
  std::set<std::string> made;
  for (int i = 0; i < 100; ++i) {
    made.insert("name " + std::to_string(i));
    file(inode, "name " + std::to_string(i));
  }
  for (const std::uint32_t page : {1u, 7u, 100u, 1000u, 0u}) {
    const std::vector<std::string> found = list(*this, inode, page);
    CHECK(found.size() == made.size());
    CHECK(std::set<std::string>(found.begin(), found.end()) == made);
  }
  const auto reply = *names->read_directory(inode, 0, 3);
  CHECK(reply.parent == kRootInode);
  for (const protocol::Dentry& entry : reply.entries)
    CHECK(entry.attributes == attributes(inode_of(inode, entry.name)));
  CHECK(names->read_directory(file(inode, "f"), 0, 10).code() == ErrorCode::NotDirectory);
  CHECK(names->read_directory(inode, UINT64_MAX, 10)->end);
}

TEST_CASE_METHOD(NamespaceFixture, "what stays is listed once while other names come and go", "[namespace]") {
  for (int i = 0; i < 60; ++i) file(kRootInode, "stays " + std::to_string(i));
  for (int i = 0; i < 60; ++i) file(kRootInode, "goes " + std::to_string(i));
  std::map<std::string, int> seen;
  std::uint64_t cookie = 0;
  for (int round = 0;; ++round) {
    const auto reply = *names->read_directory(kRootInode, cookie, 7);
    for (const protocol::Dentry& entry : reply.entries) ++seen[entry.name];
    if (reply.end) break;
    cookie = reply.entries.back().cookie;
    for (int i = 0; i < 5; ++i) {
      file(kRootInode, "comes " + std::to_string(round) + "." + std::to_string(i));
      (void)code(remove_request(kRootInode, "goes " + std::to_string(round * 5 + i), false));
    }
    // Renaming over and linking are changes too.
    expect_ok(rename_request(kRootInode, "comes " + std::to_string(round) + ".0", kRootInode, "moved"));
  }
  for (int i = 0; i < 60; ++i) CHECK(seen["stays " + std::to_string(i)] == 1);
  for (const auto& [name, count] : seen) CHECK(count == 1);
}

TEST_CASE_METHOD(NamespaceFixture, "names of one hash are never parted by a page", "[namespace]") {
  for (const char* name : {"a", "b", "c"}) file(kRootInode, name);
  // A name of the same hash cannot be found; one is put under it by hand.
  const std::uint64_t hash = name_hash("b", kNameSeed);
  KvBatch batch;
  batch.put(keys::dentry(kRootInode, hash, "b2"), pack(DentryRecord{inode_of(kRootInode, "b")}));
  REQUIRE(kv->apply(batch).ok());
  for (const std::uint32_t page : {1u, 2u, 3u, 4u}) {
    std::vector<std::string> found = list(*this, kRootInode, page);
    std::sort(found.begin(), found.end());
    CHECK(found == std::vector<std::string>{"a", "b", "b2", "c"});
  }
}

TEST_CASE_METHOD(NamespaceFixture, "changes that are not committed are listed too", "[namespace]") {
  for (const char* name : {"a", "b", "c", "d"}) file(kRootInode, name);
  commit_each = false;
  expect_ok(remove_request(kRootInode, "b", false));
  file(kRootInode, "e");
  expect_ok(rename_request(kRootInode, "c", kRootInode, "f"));
  (void)code(rename_request(kRootInode, "a", kRootInode, std::string(256, 'x')));
  const auto sorted = [&](std::uint32_t page) {
    std::vector<std::string> found = list(*this, kRootInode, page);
    std::sort(found.begin(), found.end());
    return found;
  };
  const std::vector<std::string> expected = {"a", "d", "e", "f"};
  CHECK(sorted(1) == expected);
  CHECK(sorted(10) == expected);
  REQUIRE(names->commit().ok());
  CHECK(sorted(1) == expected);
}

TEST_CASE("hashes of names leave the cookies of . and .. alone and differ by seed", "[namespace]") {
  std::set<std::uint64_t> hashes;
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    const std::uint64_t hash = name_hash("name", seed);
    CHECK(hash > 2);
    CHECK(hash <= INT64_MAX);
    hashes.insert(hash);
  }
  CHECK(hashes.size() == 100);
}

TEST_CASE_METHOD(NamespaceFixture, "paths are resolved without following symlinks", "[namespace]") {
  const InodeNumber a = directory(kRootInode, "a");
  const InodeNumber b = file(a, "b");
  CHECK(names->resolve("/")->inode == kRootInode);
  CHECK(names->resolve("//a///b")->inode == b);
  CHECK(names->resolve("/a/")->inode == a);
  CHECK(names->resolve("/a/../a/./b")->inode == b);
  CHECK(names->resolve("/a/c").code() == ErrorCode::NotFound);
  CHECK(names->resolve("/a/b/c").code() == ErrorCode::NotDirectory);
  CHECK(names->resolve("a").code() == ErrorCode::InvalidArgument);
  CHECK(names->resolve("").code() == ErrorCode::InvalidArgument);
}

}  // namespace
}  // namespace mendfs::metaserver
