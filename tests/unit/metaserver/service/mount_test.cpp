#include <catch2/catch.hpp>

#include "tests/unit/metaserver/service/cluster.h"

namespace mendfs::metaserver {

TEST_CASE("the first mount makes the ring, and every dataserver is adopted with a confirmed term", "[mount]") {
  Cluster cluster(3);
  cluster.start_nodes();
  REQUIRE(cluster.start_server().ok());
  const auto mounted = cluster.mount(kSessionA, cluster.addresses());
  INFO(mounted.meta.message);
  REQUIRE(mounted.ok());
  REQUIRE(mounted.reply.ring.slots.size() == 3);
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(mounted.reply.ring.slots[i].address == cluster.addresses()[i]);
    CHECK(mounted.reply.ring.slots[i].reachable);
    CHECK(mounted.reply.ring.slots[i].term != 0);
    CHECK(cluster.node(i).store().identity.cluster == mounted.reply.cluster);
  }
  cluster.world().run_for(100ms);
  for (std::size_t i = 0; i < 3; ++i) CHECK(cluster.node(i).term_confirmed == mounted.reply.ring.slots[i].term);
  CHECK(cluster.world().now() < 2s);
}

TEST_CASE("the first mount waits for dataservers that start late", "[mount]") {
  Cluster cluster(3);
  cluster.start_node(0);
  cluster.world().after(4s, [&] { cluster.start_node(2); });
  cluster.world().after(6s, [&] { cluster.start_node(1); });
  REQUIRE(cluster.start_server().ok());
  const auto mounted = cluster.mount(kSessionA, cluster.addresses());
  INFO(mounted.meta.message);
  CHECK(mounted.ok());
}

TEST_CASE("the first mount names who is missing, within ten seconds", "[mount]") {
  Cluster cluster(3);
  cluster.start_node(1);
  REQUIRE(cluster.start_server().ok());
  const Time begun = cluster.world().now();
  const auto mounted = cluster.mount(kSessionA, cluster.addresses());
  CHECK(mounted.meta.code == ErrorCode::Unavailable);
  CHECK(mounted.meta.message.find("2222, 127.0.0.1:2224") != std::string::npos);
  CHECK(cluster.world().now() - begun < 10s);
}

TEST_CASE("a first mount that failed may be tried again at once", "[mount]") {
  Cluster cluster(2);
  cluster.start_node(0);
  REQUIRE(cluster.start_server().ok());
  REQUIRE(cluster.mount(kSessionA, cluster.addresses()).meta.code == ErrorCode::Unavailable);
  cluster.start_node(1);
  const auto again = cluster.mount(kSessionA, cluster.addresses());
  INFO(again.meta.message);
  CHECK(again.ok());
}

TEST_CASE("one dataserver is refused with a sentence", "[mount]") {
  Cluster cluster(1);
  cluster.start_nodes();
  REQUIRE(cluster.start_server().ok());
  const auto mounted = cluster.mount(kSessionA, cluster.addresses());
  CHECK(mounted.meta.code == ErrorCode::InvalidArgument);
  CHECK(mounted.meta.message.find("at least two dataservers") != std::string::npos);
}

TEST_CASE("a blank metaserver that meets adopted dataservers makes nothing", "[mount]") {
  Cluster cluster(3);
  cluster.store(1)->identity.blank = false;
  cluster.store(1)->identity.cluster = {7, 7};
  cluster.start_nodes();
  REQUIRE(cluster.start_server().ok());
  const auto mounted = cluster.mount(kSessionA, cluster.addresses());
  CHECK(mounted.meta.code == ErrorCode::Refused);
  CHECK(mounted.meta.message.find("127.0.0.1:2223 belongs to another filesystem") != std::string::npos);
  CHECK(cluster.store(0)->identity.blank);
}

TEST_CASE("a second mount is compared with the ring; a third names nothing", "[mount]") {
  const auto cluster = mounted_cluster();
  REQUIRE(cluster);
  CHECK(cluster->mount(kSessionB, cluster->addresses()).ok());
  CHECK(cluster->mount({3, 3}, {}).ok());
  const auto wrong = cluster->mount({4, 4}, {"2222", "2224", "2223"});
  CHECK(wrong.meta.code == ErrorCode::Refused);
  CHECK(wrong.meta.message ==
        "dataserver 1 of this filesystem is 127.0.0.1:2223, not 127.0.0.1:2224; mount with: fuseclient <mountpoint> "
        "<metaserver> 2222 2223 2224");
}

TEST_CASE("two mounts at once make one ring", "[mount]") {
  Cluster cluster(2);
  REQUIRE(cluster.start_server().ok());
  cluster.world().after(2s, [&] { cluster.start_nodes(); });
  std::vector<std::string> answers;
  Scope scope;
  struct Mount {
    static Task<void> run(Cluster* c, SessionId session, std::vector<std::string>* out) {
      protocol::OpenSessionRequest request;
      request.call.session = session;
      request.addresses = c->addresses();
      std::string packed = pack(request);
      Result<std::string> answer = co_await rpc::call_packed(
          c->world().process("client").env().network, Cluster::meta_address(), "fs.mount", std::move(packed), 30s);
      const auto reply = unpack<protocol::MetaReply>(*answer);
      out->push_back(to_string(unpack<protocol::OpenSessionRequest::Answer>(reply->body)->cluster));
    }
  };
  scope.spawn(Mount::run(&cluster, kSessionA, &answers));
  scope.spawn(Mount::run(&cluster, kSessionB, &answers));
  REQUIRE(cluster.world().run_until([&] { return answers.size() == 2; }, 20s));
  CHECK(answers[0] == answers[1]);
}

TEST_CASE("a restarted metaserver goes on with its ring in a new epoch", "[mount]") {
  const auto cluster = mounted_cluster();
  REQUIRE(cluster);
  const auto made = cluster->make(kSessionA, 1, "a");
  REQUIRE(made.ok());
  cluster->kill_server();
  REQUIRE(cluster->start_server().ok());
  const auto found = cluster->lookup(kSessionA, "a");
  REQUIRE(found.ok());
  CHECK(found.reply.inode == made.reply.inode);
  CHECK(found.meta.epoch == made.meta.epoch + 1);
  const auto later = cluster->make(kSessionA, 2, "b");
  REQUIRE(later.ok());
  CHECK(later.reply.inode >> kEpochShift == found.meta.epoch);
}

TEST_CASE("a sync of a change that a power cut took is stale, though another has its number", "[mount]") {
  bool was_lost = false;
  bool was_kept = false;
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    Cluster cluster(2, seed);
    cluster.start_nodes();
    REQUIRE(cluster.start_server().ok());
    REQUIRE(cluster.mount(kSessionA, cluster.addresses()).ok());
    const auto kept = cluster.make(kSessionA, 1, "kept");
    protocol::SyncMetaRequest sync;
    sync.call.session = kSessionA;
    REQUIRE(cluster.call(sync).ok());
    const auto doubtful = cluster.make(kSessionA, 2, "doubtful");
    for (std::uint64_t start = 0; start < 2; ++start) {
      cluster.cut_server_power();
      REQUIRE(cluster.start_server().ok());
      const bool is_lost = !cluster.lookup(kSessionA, "doubtful").ok();
      was_lost = was_lost || is_lost;
      was_kept = was_kept || !is_lost;
      for (std::uint64_t i = 0; i < 10; ++i)
        REQUIRE(cluster.make(kSessionA, 3 + start * 10 + i, std::to_string(start * 10 + i)).ok());
      sync.index = kept.meta.index;
      sync.epoch = kept.meta.epoch;
      CHECK(cluster.call(sync).meta.code == ErrorCode::Ok);
      sync.index = doubtful.meta.index;
      sync.epoch = doubtful.meta.epoch;
      CHECK(cluster.call(sync).meta.code == (is_lost ? ErrorCode::Stale : ErrorCode::Ok));
    }
  }
  CHECK(was_lost);
  CHECK(was_kept);
}

TEST_CASE("what was synced survives a power cut, and the rest is a prefix", "[mount]") {
  const auto cluster = mounted_cluster();
  REQUIRE(cluster);
  for (std::uint64_t i = 1; i <= 20; ++i) REQUIRE(cluster->make(kSessionA, i, std::to_string(i)).ok());
  protocol::SyncMetaRequest sync;
  sync.call.session = kSessionA;
  REQUIRE(cluster->call(sync).ok());
  for (std::uint64_t i = 21; i <= 40; ++i) REQUIRE(cluster->make(kSessionA, i, std::to_string(i)).ok());
  cluster->cut_server_power();
  REQUIRE(cluster->start_server().ok());
  bool gone = false;
  for (std::uint64_t i = 1; i <= 40; ++i) {
    const bool found = cluster->lookup(kSessionA, std::to_string(i)).ok();
    if (i <= 20) CHECK(found);
    CHECK_FALSE((gone && found));
    gone = gone || !found;
  }
}

TEST_CASE("changes are durable soon after, without being asked", "[mount]") {
  const auto cluster = mounted_cluster();
  REQUIRE(cluster);
  const auto made = cluster->make(kSessionA, 1, "a");
  REQUIRE(made.ok());
  CHECK(made.meta.durable < made.meta.index);
  cluster->world().run_for(50ms);
  CHECK(cluster->lookup(kSessionA, "a").meta.durable >= made.meta.index);
}

TEST_CASE("a repeated change is answered as the first time", "[mount]") {
  const auto cluster = mounted_cluster();
  REQUIRE(cluster);
  const auto first = cluster->make(kSessionA, 1, "a");
  const auto again = cluster->make(kSessionA, 1, "a");
  REQUIRE(first.ok());
  REQUIRE(again.ok());
  CHECK(again.reply.inode == first.reply.inode);
  CHECK(again.meta.index == first.meta.index);
  CHECK(cluster->make(kSessionA, 2, "a").meta.code == ErrorCode::Exists);
}

TEST_CASE("nothing is served to a session that never began", "[mount]") {
  const auto cluster = mounted_cluster();
  REQUIRE(cluster);
  CHECK(cluster->lookup(kSessionB, "a").meta.code == ErrorCode::Refused);
  CHECK(cluster->make(kSessionB, 1, "a").meta.code == ErrorCode::Refused);
}

TEST_CASE("a port in use is an error of the start", "[mount]") {
  Cluster cluster(2);
  REQUIRE(cluster.start_server().ok());
  MetaServer other(cluster.meta().env(), {.address = Cluster::meta_address()});
  CHECK(sim::run(cluster.world(), other.start()).code() == ErrorCode::Busy);
}

}  // namespace mendfs::metaserver
