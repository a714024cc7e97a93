#include "client/meta_cache.h"

#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <set>
#include <string>

namespace mendfs::client {
namespace {

constexpr InodeNumber kDirectory = 7;
constexpr InodeNumber kFile = 8;

protocol::Attributes attributes_of(InodeNumber inode, std::uint64_t change) {
  protocol::Attributes attributes;
  attributes.inode = inode;
  attributes.mode = S_IFREG | 0644;
  attributes.change = change;
  return attributes;
}

protocol::Dentry dentry(const std::string& name, InodeNumber inode, std::uint64_t cookie) {
  return {name, cookie, attributes_of(inode, 1)};
}

protocol::ChangesRequest::Answer changes(std::uint64_t up_to) {
  protocol::ChangesRequest::Answer answer;
  answer.up_to = up_to;
  return answer;
}

struct Fixture {
  explicit Fixture(MetaCache::Limits limits = {})
      : cache(MetaCache::Hooks{[this](InodeNumber inode) { attributes_forgotten.insert(inode); },
                               [this](InodeNumber, const std::string& name) { names_forgotten.insert(name); }},
              limits) {
    cache.begin(100);
  }
  void list_whole(std::uint64_t as_of) {
    protocol::ReadDirectoryReply page;
    page.entries = {dentry("a", 21, 30), dentry("b", 22, 40)};
    page.end = true;
    cache.learn_page(kDirectory, 0, page, as_of);
  }
  std::set<InodeNumber> attributes_forgotten;
  std::set<std::string> names_forgotten;
  MetaCache cache;
};

}  // namespace

TEST_CASE("nothing is kept before the feed of changes is heard, nor after it is lost", "[meta_cache]") {
  Fixture f;
  f.cache.reset();
  f.cache.learn(attributes_of(kFile, 1), 200);
  f.cache.learn_name(kDirectory, "name", kFile, 200);
  CHECK(f.cache.size() == 0);
  f.cache.begin(200);
  f.cache.learn(attributes_of(kFile, 1), 200);
  f.cache.learn_name(kDirectory, "name", kFile, 200);
  CHECK(f.cache.attributes(kFile));
  CHECK(f.cache.keeps_name(kDirectory, "name", kFile));
  f.cache.reset();
  CHECK_FALSE(f.cache.attributes(kFile));
  CHECK_FALSE(f.cache.find(kDirectory, "name"));
  CHECK(f.attributes_forgotten.count(kFile) == 1);
  CHECK(f.names_forgotten.count("name") == 1);
  CHECK(f.cache.size() == 0);
}

TEST_CASE("an answer that a change has overtaken is not kept", "[meta_cache]") {
  Fixture f;
  protocol::ChangesRequest::Answer heard = changes(120);
  heard.inodes = {kFile};
  heard.names = {{kDirectory, "name", 0}};
  f.cache.changed_elsewhere(heard);
  f.cache.learn(attributes_of(kFile, 1), 119);
  f.cache.learn_name(kDirectory, "name", kFile, 119);
  CHECK_FALSE(f.cache.attributes(kFile));
  CHECK_FALSE(f.cache.find(kDirectory, "name"));
  f.cache.learn(attributes_of(kFile, 2), 120);
  CHECK(f.cache.attributes(kFile)->change == 2);
}

TEST_CASE("an answer from before the feed began is not kept", "[meta_cache]") {
  Fixture f;
  f.cache.learn(attributes_of(kFile, 1), 99);
  CHECK_FALSE(f.cache.attributes(kFile));
}

TEST_CASE("a change elsewhere drops what it touched and nothing else", "[meta_cache]") {
  Fixture f;
  f.cache.learn(attributes_of(kFile, 1), 110);
  f.cache.learn(attributes_of(9, 1), 110);
  f.cache.learn_name(kDirectory, "name", kFile, 110);
  f.cache.learn_name(kDirectory, "other", 9, 110);
  protocol::ChangesRequest::Answer heard = changes(111);
  heard.inodes = {kFile};
  heard.names = {{kDirectory, "name", 0}};
  const MetaCache::Dropped dropped = f.cache.changed_elsewhere(heard);
  CHECK(dropped.inodes.size() == 1);
  CHECK(dropped.names.size() == 1);
  CHECK_FALSE(f.cache.attributes(kFile));
  CHECK_FALSE(f.cache.find(kDirectory, "name"));
  CHECK(f.cache.attributes(9));
  CHECK(f.cache.find(kDirectory, "other") == 9);
  CHECK(f.attributes_forgotten == std::set<InodeNumber>{kFile});
  CHECK(f.names_forgotten == std::set<std::string>{"name"});
}

TEST_CASE("the name of a directory is dropped without taking it from the front end", "[meta_cache]") {
  Fixture f;
  protocol::Attributes directory = attributes_of(kFile, 1);
  directory.mode = S_IFDIR | 0755;
  f.cache.learn(directory, 110);
  f.cache.learn_name(kDirectory, "sub", kFile, 110);
  protocol::ChangesRequest::Answer heard = changes(111);
  heard.names = {{kDirectory, "sub", 0}};
  f.cache.changed_elsewhere(heard);
  CHECK_FALSE(f.cache.find(kDirectory, "sub"));
  f.cache.learn_name(kDirectory, "sub", kFile, 111);
  f.cache.reset();
  CHECK(f.names_forgotten.empty());
  CHECK(f.attributes_forgotten.count(kFile) == 1);
}

TEST_CASE("what is known as of a later entry than the feed has come to stays", "[meta_cache]") {
  Fixture f;
  f.cache.learn(attributes_of(kFile, 5), 130);
  protocol::ChangesRequest::Answer heard = changes(125);
  heard.inodes = {kFile};
  f.cache.changed_elsewhere(heard);
  CHECK(f.cache.attributes(kFile)->change == 5);
}

TEST_CASE("what an answer brought up to date before the feed tells of it is forgotten by the front end",
          "[meta_cache]") {
  Fixture f;
  f.cache.learn_name(kDirectory, "name", kFile, 110);
  // Renamed over by others; the front end was given the old one, and did not ask for this.
  f.cache.learn_name(kDirectory, "name", 9, 120);
  protocol::ChangesRequest::Answer heard = changes(120);
  heard.names = {{kDirectory, "name", 0}};
  f.cache.changed_elsewhere(heard);
  CHECK(f.cache.find(kDirectory, "name") == 9);
  CHECK(f.names_forgotten == std::set<std::string>{"name"});
}

TEST_CASE("a change of one's own that is answered late leaves nothing older", "[meta_cache]") {
  Fixture f(MetaCache::Limits{.entries = 1000, .recent = 4});
  f.cache.learn(attributes_of(kFile, 1), 110);
  f.cache.learn_name(kDirectory, "name", kFile, 110);
  protocol::ChangesRequest::Answer heard = changes(120);
  heard.inodes = {1, 2, 3, 4, 5, 6};
  f.cache.changed_elsewhere(heard);
  protocol::Touched renamed;
  renamed.inodes = {attributes_of(kFile, 2)};
  renamed.names = {{kDirectory, "name", 9}};
  f.cache.changed_here(renamed, 115);
  CHECK_FALSE(f.cache.attributes(kFile));
  CHECK_FALSE(f.cache.find(kDirectory, "name"));
}

TEST_CASE("a change of one's own brings what it touched up to date", "[meta_cache]") {
  Fixture f;
  f.list_whole(110);
  f.cache.learn(attributes_of(kDirectory, 1), 110);
  protocol::Touched made;
  made.inodes = {attributes_of(kFile, 1), attributes_of(kDirectory, 2)};
  made.names = {{kDirectory, "new", kFile}};
  f.cache.changed_here(made, 120);
  CHECK(f.cache.find(kDirectory, "new") == kFile);
  CHECK(f.cache.attributes(kDirectory)->change == 2);
  CHECK(f.attributes_forgotten.empty());

  protocol::Touched removed;
  removed.gone = {kFile};
  removed.names = {{kDirectory, "new", 0}};
  f.cache.changed_here(removed, 121);
  CHECK(f.cache.find(kDirectory, "new") == 0);
  CHECK_FALSE(f.cache.attributes(kFile));
  // The answer to a look-up that was overtaken by the removal.
  f.cache.learn_name(kDirectory, "new", kFile, 120);
  CHECK(f.cache.find(kDirectory, "new") == 0);
}

TEST_CASE("a change of one's own that the feed has overtaken leaves no name missing", "[meta_cache]") {
  Fixture f;
  f.list_whole(110);
  protocol::ChangesRequest::Answer heard = changes(125);
  heard.inodes = {99};
  f.cache.changed_elsewhere(heard);
  f.cache.begin(125);
  protocol::Touched renamed;
  renamed.names = {{kDirectory, "a", 0}, {kDirectory, "c", 21}};
  f.cache.changed_here(renamed, 120);
  CHECK(f.cache.find(kDirectory, "c") == 21);
  CHECK(f.cache.find(kDirectory, "a") == 0);

  // Somebody else has changed the same name since: what it is now has to be asked.
  heard = changes(140);
  heard.names = {{kDirectory, "d", 0}};
  f.list_whole(130);
  f.cache.changed_elsewhere(heard);
  f.list_whole(140);
  protocol::Touched made;
  made.names = {{kDirectory, "d", 50}};
  f.cache.changed_here(made, 135);
  CHECK_FALSE(f.cache.find(kDirectory, "d"));
}

TEST_CASE("a removal of one's own does not take a name that was given anew since", "[meta_cache]") {
  Fixture f;
  f.list_whole(130);
  protocol::Touched removed;
  removed.names = {{kDirectory, "a", 0}};
  f.cache.changed_here(removed, 120);
  CHECK(f.cache.find(kDirectory, "a") == 21);
}

TEST_CASE("a directory read whole answers for names that do not exist, until somebody changes it", "[meta_cache]") {
  Fixture f;
  f.list_whole(110);
  CHECK(f.cache.find(kDirectory, "a") == 21);
  CHECK(f.cache.find(kDirectory, "none") == 0);
  protocol::ChangesRequest::Answer heard = changes(111);
  heard.names = {{kDirectory, "none", 0}};
  f.cache.changed_elsewhere(heard);
  CHECK_FALSE(f.cache.find(kDirectory, "none"));
  CHECK(f.cache.find(kDirectory, "a") == 21);
}

TEST_CASE("a listing that a change has overtaken makes no directory whole", "[meta_cache]") {
  Fixture f;
  protocol::Touched made;
  made.inodes = {attributes_of(kDirectory, 2)};
  made.names = {{kDirectory, "new", kFile}};
  f.cache.changed_here(made, 120);
  f.list_whole(119);
  CHECK(f.cache.find(kDirectory, "a") == 21);
  CHECK_FALSE(f.cache.find(kDirectory, "none"));
}

TEST_CASE("a directory is whole after all of its pages, in their order", "[meta_cache]") {
  Fixture f;
  protocol::ReadDirectoryReply first;
  first.entries = {dentry("a", 21, 30)};
  protocol::ReadDirectoryReply last;
  last.entries = {dentry("b", 22, 40)};
  last.end = true;
  f.cache.learn_page(kDirectory, 30, last, 110);
  CHECK_FALSE(f.cache.find(kDirectory, "none"));
  f.cache.learn_page(kDirectory, 0, first, 110);
  CHECK_FALSE(f.cache.find(kDirectory, "none"));
  SECTION("read on") {
    f.cache.learn_page(kDirectory, 30, last, 111);
    CHECK(f.cache.find(kDirectory, "none") == 0);
  }
  SECTION("a name elsewhere in between") {
    protocol::ChangesRequest::Answer heard = changes(111);
    heard.names = {{kDirectory, "c", 0}};
    f.cache.changed_elsewhere(heard);
    f.cache.learn_page(kDirectory, 30, last, 112);
    CHECK_FALSE(f.cache.find(kDirectory, "none"));
  }
}

TEST_CASE("what goes for want of room is forgotten by the front end too", "[meta_cache]") {
  Fixture f(MetaCache::Limits{.entries = 10, .recent = 100});
  for (InodeNumber inode = 1000; inode < 1050; ++inode) f.cache.learn(attributes_of(inode, 1), 110);
  CHECK(f.cache.size() <= 10);
  CHECK(f.attributes_forgotten.size() == 50 - f.cache.size());
  for (InodeNumber inode = 1000; inode < 1050; ++inode)
    CHECK(f.cache.attributes(inode).has_value() == (f.attributes_forgotten.count(inode) == 0));
}

TEST_CASE("answers older than all remembered changes are not kept", "[meta_cache]") {
  Fixture f(MetaCache::Limits{.entries = 1000, .recent = 4});
  for (std::uint64_t i = 0; i < 10; ++i) {
    protocol::ChangesRequest::Answer heard = changes(110 + i);
    heard.inodes = {500 + i};
    f.cache.changed_elsewhere(heard);
  }
  // That 500 changed at 110 is not remembered any more: whether this knows of it cannot be told.
  f.cache.learn(attributes_of(500, 1), 109);
  CHECK_FALSE(f.cache.attributes(500));
  f.cache.learn(attributes_of(500, 2), 119);
  CHECK(f.cache.attributes(500));
}

TEST_CASE("a repeated change empties the cache and outdates all answers before it", "[meta_cache]") {
  Fixture f;
  f.cache.learn(attributes_of(kFile, 1), 110);
  f.cache.forget_before(120);
  CHECK_FALSE(f.cache.attributes(kFile));
  f.cache.learn(attributes_of(kFile, 1), 119);
  CHECK_FALSE(f.cache.attributes(kFile));
  f.cache.learn(attributes_of(kFile, 2), 120);
  CHECK(f.cache.attributes(kFile));
}

TEST_CASE("an inode is known by the name it was last seen under", "[meta_cache]") {
  Fixture f;
  f.cache.learn(attributes_of(kFile, 1), 110);
  f.cache.learn_name(kDirectory, "a", kFile, 110);
  f.cache.learn_name(kDirectory, "b", kFile, 110);
  CHECK(f.cache.name_of(kFile)->name == "b");
  CHECK(f.cache.find(kDirectory, "a") == kFile);
  CHECK(f.cache.name_of(kFile)->name == "a");
  protocol::ChangesRequest::Answer heard = changes(111);
  heard.names = {{kDirectory, "a", 0}};
  f.cache.changed_elsewhere(heard);
  CHECK_FALSE(f.cache.find(kDirectory, "a"));
  // The kernel may be on its way by it: the open asks whether it still leads there.
  REQUIRE(f.cache.name_of(kFile));
  CHECK(f.cache.name_of(kFile)->name == "a");
  f.cache.drop_name(*f.cache.name_of(kFile));
  CHECK_FALSE(f.cache.name_of(kFile));
}

TEST_CASE("many look-ups in one directory make it worth reading", "[meta_cache]") {
  Fixture f;
  int asked = 0;
  while (!f.cache.is_worth_reading(kDirectory)) ++asked;
  CHECK(asked == 3);
  f.list_whole(110);
  for (int i = 0; i < 10; ++i) CHECK_FALSE(f.cache.is_worth_reading(kDirectory));
}

}  // namespace mendfs::client
