#include "tests/sim/world/random.h"
#include "tests/unit/metaserver/namespace/model_filesystem.h"
#include "tests/unit/metaserver/namespace/namespace_fixture.h"

namespace mendfs::metaserver {
namespace {

/// Draws changes among few names and many inodes, so that they meet, and makes each in both.
struct RandomFixture : NamespaceFixture {
  ModelFilesystem model;
  sim::SimRandom random{11};
  std::vector<InodeNumber> inodes = {kRootInode};

  InodeNumber any_inode() { return inodes[random.below(inodes.size())]; }
  std::string any_name() { return std::string(1, static_cast<char>('a' + random.below(6))); }

  void step() {
    const InodeNumber inode = any_inode();
    const InodeNumber other = any_inode();
    const std::string name = any_name();
    switch (random.below(8)) {
      case 0:
      case 1: {
        const bool is_directory = random.below(2) == 0;
        const Outcome made = change(make_request(inode, name, is_directory ? S_IFDIR : S_IFREG));
        const InodeNumber number = made.code == ErrorCode::Ok ? unpack<Attributes>(made.body)->inode : 0;
        REQUIRE(made.code == model.make(inode, name, is_directory, number));
        if (number != 0) inodes.push_back(number);
        break;
      }
      case 2:
        REQUIRE(code(link_request(other, inode, name)) == model.link(other, inode, name));
        break;
      case 3: {
        const bool is_directory = random.below(2) == 0;
        REQUIRE(code(remove_request(inode, name, is_directory)) == model.remove(inode, name, is_directory));
        break;
      }
      case 4: {
        const std::uint64_t size = random.below(1000);
        REQUIRE(code(set_size(other, size)) == model.truncate(other, size));
        break;
      }
      case 5:
        forget_orphan();
        break;
      default: {
        const std::string new_name = any_name();
        protocol::RenameRequest request = rename_request(inode, name, other, new_name);
        request.exchange = random.below(4) == 0;
        REQUIRE(code(request) == model.rename(inode, name, other, new_name, request.exchange));
      }
    }
  }

  void forget_orphan() {
    const std::vector<InodeNumber> orphans = *names->orphans(0, 1);
    if (orphans.empty()) return;
    REQUIRE(model.nodes[orphans[0]].names == 0);
    REQUIRE(apply(DeleteInode{orphans[0]}).code == ErrorCode::Ok);
    const std::vector<protocol::FileRef> deletions = *names->deletions(0, 10);
    for (const protocol::FileRef& file : deletions) REQUIRE(apply(ForgetInode{file.inode}).code == ErrorCode::Ok);
    std::erase(inodes, orphans[0]);
    model.nodes.erase(orphans[0]);
  }

  void compare() {
    REQUIRE(*names->inode_count() == model.nodes.size());
    for (const auto& [node, inode] : model.nodes) {
      const Attributes found = attributes(node);
      REQUIRE(found.link_count == model.link_count(node));
      if (!inode.directory) REQUIRE(found.size == inode.size);
      if (!inode.directory) continue;
      const auto listed = *names->read_directory(node, 0, 1024);
      REQUIRE(listed.entries.size() == inode.children.size());
      if (inode.names > 0) REQUIRE(listed.parent == inode.parent);
      for (const protocol::Dentry& entry : listed.entries) {
        REQUIRE(inode.children.contains(entry.name));
        REQUIRE(inode.children.at(entry.name) == entry.attributes.inode);
      }
    }
  }
};

TEST_CASE_METHOD(RandomFixture, "random changes come to what a simple model says", "[namespace]") {
  for (int round = 0; round < 60; ++round) {
    for (int i = 0; i < 50; ++i) step();
    compare();
    if (round % 20 == 10) reopen();
  }
}

std::vector<std::pair<std::string, std::string>> entries_of(Kv& kv) {
  std::vector<std::pair<std::string, std::string>> entries;
  REQUIRE(kv.scan("", "", [&](std::string_view key, std::string_view value) {
              entries.emplace_back(key, value);
              return true;
            }).ok());
  return entries;
}

/// The state after the log was applied to a fresh store, with a commit every `group` commands.
std::vector<std::pair<std::string, std::string>> replay(const std::vector<std::string>& log, std::uint64_t group) {
  sim::Scheduler scheduler;
  sim::SimLoop loop(scheduler, 1);
  sim::SimKvFactory factory(loop, 1);
  std::unique_ptr<Kv> kv = std::move(*factory.open("state"));
  Namespace names(*kv);
  REQUIRE(names.load().ok());
  for (std::uint64_t index = 1; index <= log.size(); ++index) {
    REQUIRE(names.apply(index, *decode_command(log[index - 1])).ok());
    if (index % group == 0) REQUIRE(names.commit().ok());
  }
  REQUIRE(names.commit().ok());
  return entries_of(*kv);
}

TEST_CASE_METHOD(RandomFixture, "a log applied again gives the same state byte for byte, however it is grouped",
                 "[namespace]") {
  for (int i = 0; i < 1500; ++i) {
    step();
    if (i % 50 == 0) (void)change(open_for_write(any_inode()), i % 100 == 0 ? kSession : kOtherSession);
    (void)names->read_directory(any_inode(), 0, 5);  // reads leave nothing behind
  }
  apply(LapseSession{kOtherSession});
  for (int i = 0; i < 100; ++i) step();
  const auto state = all_keys();
  CHECK(replay(log, 1) == state);
  CHECK(replay(log, 7) == state);
  CHECK(replay(log, log.size()) == state);
}

TEST_CASE_METHOD(RandomFixture, "after a crash at any commit the rest of the log leads to the same state",
                 "[namespace]") {
  for (int i = 0; i < 300; ++i) step();
  const std::vector<std::string> whole = log;
  const auto expected = all_keys();
  for (std::uint64_t crash = 0; crash <= whole.size(); crash += 23) {
    sim::SimKvFactory other(loop, crash);
    std::unique_ptr<Kv> store = std::move(*other.open("state"));
    {
      Namespace before(*store);
      REQUIRE(before.load().ok());
      for (std::uint64_t index = 1; index <= crash; ++index) {
        REQUIRE(before.apply(index, *decode_command(whole[index - 1])).ok());
        if (index % 5 == 0) REQUIRE(before.commit().ok());
      }
    }
    store.reset();
    store = std::move(*other.open("state"));  // at some batch
    Namespace after(*store);
    REQUIRE(after.load().ok());
    CHECK(after.applied_index() <= crash);
    for (std::uint64_t index = after.applied_index() + 1; index <= whole.size(); ++index)
      REQUIRE(after.apply(index, *decode_command(whole[index - 1])).ok());
    REQUIRE(after.commit().ok());
    CHECK(entries_of(*store) == expected);
  }
}

TEST_CASE_METHOD(NamespaceFixture, "a store of another format is refused with a sentence", "[namespace]") {
  KvBatch batch;
  batch.put(keys::version(), pack(kStateVersion + 1));
  REQUIRE(kv->apply(batch).ok());
  Namespace other(*kv);
  CHECK(other.load().code() == ErrorCode::Corruption);
}

TEST_CASE_METHOD(NamespaceFixture, "damage in the store ends apply and commit with an error, not an outcome",
                 "[namespace]") {
  KvBatch batch;
  batch.put(keys::inode(kRootInode), "odd");
  REQUIRE(kv->apply(batch).ok());
  Command command;
  command.epoch = epoch;
  protocol::MakeRequest request = make_request(kRootInode, "f", S_IFREG);
  request.call = {kSession, 1, 1};
  command.body = request;
  CHECK(names->apply(names->applied_index() + 1, command).code() == ErrorCode::Corruption);
  factory.corrupt("state");
  CHECK(names->commit().code() == ErrorCode::Corruption);
}

}  // namespace
}  // namespace mendfs::metaserver
