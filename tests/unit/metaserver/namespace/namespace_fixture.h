// A namespace over a simulated store, with a cluster of five dataservers and one session, and short ways to change it.
// Every command goes through its encoding, and all are kept, so that a test can apply them again elsewhere.
#pragma once

#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "metaserver/namespace/inode_record.h"
#include "metaserver/namespace/limits.h"
#include "metaserver/namespace/namespace.h"
#include "metaserver/namespace/state_keys.h"
#include "tests/sim/world/sim_kv.h"

namespace mendfs::metaserver {

using protocol::Attributes;

constexpr std::uint64_t kNameSeed = 0x5eed;
constexpr ClusterId kCluster{7, 7};
constexpr SessionId kSession{1, 1};
constexpr SessionId kOtherSession{2, 2};
constexpr std::int64_t kSecond = 1'000'000'000;

class NamespaceFixture {
 public:
  NamespaceFixture() {
    reopen();
    apply(StartEpoch{});
    apply(cluster_of(5));
    apply(OpenSession{kSession, "test"});
    apply(OpenSession{kOtherSession, "other"});
  }

  static CreateCluster cluster_of(std::uint64_t slots) {
    CreateCluster command;
    command.cluster = kCluster;
    command.name_seed = kNameSeed;
    command.root_uid = 1000;
    command.root_gid = 100;
    for (std::uint64_t slot = 0; slot < slots; ++slot)
      command.slots.push_back({"127.0.0.1:" + std::to_string(2222 + slot), Generation{9, slot}});
    return command;
  }

  /// Applies and commits a command one second after the last.
  Outcome apply(Command::Body body) {
    Command command;
    command.time = now += kSecond;
    command.epoch = epoch;
    command.body = std::move(body);
    return apply_command(command);
  }
  Outcome apply_command(const Command& command) {
    log.push_back(encode(command));
    Result<Command> decoded = decode_command(log.back());
    REQUIRE(decoded.ok());
    Result<Outcome> outcome = names->apply(names->applied_index() + 1, *decoded);
    INFO((outcome.ok() ? "" : outcome.error().message));
    REQUIRE(outcome.ok());
    if (commit_each) REQUIRE(names->commit().ok());
    return std::move(*outcome);
  }

  /// A client's change under the next sequence of its session.
  template <class Request>
  Outcome change(Request request, const SessionId& session = kSession) {
    request.call.session = session;
    request.call.sequence = ++sequence;
    request.call.answered_below = sequence;
    return apply(std::move(request));
  }
  template <class Request>
  ErrorCode code(Request request, const SessionId& session = kSession) {
    return change(std::move(request), session).code;
  }
  template <class Request>
  typename Request::Reply expect_ok(Request request, const SessionId& session = kSession) {
    const Outcome outcome = change(std::move(request), session);
    INFO(outcome.message);
    REQUIRE(outcome.code == ErrorCode::Ok);
    auto reply = unpack<typename Request::Reply>(outcome.body);
    REQUIRE(reply.ok());
    return *reply;
  }

  static protocol::MakeRequest make_request(InodeNumber parent, const std::string& name, std::uint32_t mode) {
    protocol::MakeRequest request;
    request.parent = parent;
    request.name = name;
    request.mode = mode;
    request.uid = 1000;
    request.gid = 100;
    return request;
  }
  static protocol::RemoveRequest remove_request(InodeNumber parent, const std::string& name, bool directory) {
    protocol::RemoveRequest request;
    request.parent = parent;
    request.name = name;
    request.directory = directory;
    return request;
  }
  static protocol::LinkRequest link_request(InodeNumber inode, InodeNumber parent, const std::string& name) {
    protocol::LinkRequest request;
    request.inode = inode;
    request.parent = parent;
    request.name = name;
    return request;
  }
  static protocol::RenameRequest rename_request(InodeNumber parent, const std::string& name, InodeNumber new_parent,
                                                const std::string& new_name) {
    protocol::RenameRequest request;
    request.parent = parent;
    request.name = name;
    request.new_parent = new_parent;
    request.new_name = new_name;
    return request;
  }
  static protocol::SetAttributesRequest set_size(InodeNumber inode, std::uint64_t size) {
    protocol::SetAttributesRequest request;
    request.inode = inode;
    request.size = size;
    return request;
  }
  static protocol::OpenRequest open_for_write(InodeNumber inode) {
    protocol::OpenRequest request;
    request.inode = inode;
    request.write = true;
    return request;
  }
  static protocol::SettleRequest settle_size(InodeNumber inode, std::uint64_t cut, std::uint64_t size) {
    protocol::SettleRequest request;
    request.inode = inode;
    request.cut = cut;
    request.size = size;
    return request;
  }

  InodeNumber file(InodeNumber parent, const std::string& name) {
    return expect_ok(make_request(parent, name, S_IFREG | 0644)).inode;
  }
  InodeNumber directory(InodeNumber parent, const std::string& name) {
    return expect_ok(make_request(parent, name, S_IFDIR | 0755)).inode;
  }
  Attributes attributes(InodeNumber inode) {
    Result<Attributes> found = names->attributes(inode);
    REQUIRE(found.ok());
    return *found;
  }
  /// 0 when there is none.
  InodeNumber inode_of(InodeNumber parent, const std::string& name) {
    Result<Attributes> found = names->lookup(parent, name);
    if (!found.ok()) REQUIRE(found.code() == ErrorCode::NotFound);
    return found.ok() ? found->inode : 0;
  }

  /// Restarts it over the same store, which loses nothing.
  void reopen() {
    names.reset();
    if (!kv) {
      Result<std::unique_ptr<Kv>> opened = factory.open("state");
      REQUIRE(opened.ok());
      kv = std::move(*opened);
    }
    names.emplace(*kv);
    REQUIRE(names->load().ok());
  }

  /// Straight into the store: limits are too far away to be reached by commands.
  void set_link_count(InodeNumber inode, std::uint32_t count) {
    auto stored = kv->get(keys::inode(inode));
    REQUIRE((stored.ok() && *stored));
    auto record = unpack<InodeRecord>(**stored);
    REQUIRE(record.ok());
    record->attributes.link_count = count;
    KvBatch batch;
    batch.put(keys::inode(inode), pack(*record));
    REQUIRE(kv->apply(batch).ok());
  }

  std::vector<std::pair<std::string, std::string>> all_keys() {
    std::vector<std::pair<std::string, std::string>> entries;
    REQUIRE(kv->scan("", "", [&](std::string_view key, std::string_view value) {
                entries.emplace_back(key, value);
                return true;
              }).ok());
    return entries;
  }

  sim::Scheduler scheduler;
  sim::SimLoop loop{scheduler, 1};
  sim::SimKvFactory factory{loop, 1};
  std::unique_ptr<Kv> kv;
  std::optional<Namespace> names;
  std::vector<std::string> log;
  WallTime now = 1000 * kSecond;
  std::uint64_t epoch = 1;
  std::uint64_t sequence = 0;
  bool commit_each = true;
};

}  // namespace mendfs::metaserver
