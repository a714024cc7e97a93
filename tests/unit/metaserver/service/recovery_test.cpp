#include <catch2/catch.hpp>

#include "tests/unit/metaserver/service/cluster.h"

namespace mendfs::metaserver {
namespace {

/// Small enough that a few hundred changes go through several segments and checkpoints.
MetaServerOptions small_options() {
  return {.address = Cluster::meta_address(), .log_segment_size = 16u << 10, .checkpoint_bytes = 8u << 10};
}

std::size_t segment_count(Cluster& cluster) {
  std::size_t count = 0;
  for (const std::string& name : cluster.meta().disk().file_names())
    count += name.starts_with("log/segment-") ? 1U : 0U;
  return count;
}

std::unique_ptr<Cluster> small_cluster(std::uint64_t seed) {
  auto cluster = std::make_unique<Cluster>(2, seed);
  cluster->start_nodes();
  cluster->options() = small_options();
  if (!cluster->start_server().ok()) return nullptr;
  if (!cluster->mount(kSessionA, cluster->addresses()).ok()) return nullptr;
  return cluster;
}

}  // namespace

TEST_CASE("checkpoints bound the log, and no request waits for one", "[recovery]") {
  const auto cluster = small_cluster(1);
  REQUIRE(cluster);
  for (std::uint64_t i = 1; i <= 600; ++i) {
    const Time begun = cluster->world().now();
    REQUIRE(cluster->make(kSessionA, i, "name " + std::to_string(i)).ok());
    CHECK(cluster->world().now() - begun < 50ms);
    if (i % 10 == 0) cluster->live(kSessionA, 1s);
  }
  CHECK(segment_count(*cluster) <= 3);
  cluster->kill_server();
  REQUIRE(cluster->start_server().ok());
  for (std::uint64_t i = 1; i <= 600; ++i) REQUIRE(cluster->lookup(kSessionA, "name " + std::to_string(i)).ok());
}

TEST_CASE("kills lose nothing and power cuts leave a prefix, at any moment", "[recovery]") {
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    CAPTURE(seed);
    const auto cluster = small_cluster(seed);
    REQUIRE(cluster);
    sim::SimRandom random(seed);
    std::uint64_t made = 0;    // names 1 .. made are there
    std::uint64_t synced = 0;  // of these, surely after a power cut
    std::uint64_t sequence = 0;
    for (int life = 0; life < 6; ++life) {
      const std::uint64_t count = random.between(1, 60);
      for (std::uint64_t i = 0; i < count; ++i) {
        ++made;
        const auto answer = cluster->make(kSessionA, ++sequence, std::to_string(life) + "/" + std::to_string(made));
        REQUIRE(answer.meta.code ==
                ErrorCode::InvalidArgument);  // a name has no slash: refused, and logged all the same
        const auto good = cluster->make(kSessionA, ++sequence, std::to_string(made));
        REQUIRE(good.ok());
        if (random.one_in(10)) {
          protocol::SyncMetaRequest sync;
          sync.call.session = kSessionA;
          REQUIRE(cluster->call(sync).ok());
          synced = made;
        }
      }
      cluster->world().run_for(Duration(random.below(60'000'000)));
      const bool power = random.one_in(2);
      power ? cluster->cut_server_power() : cluster->kill_server();
      REQUIRE(cluster->start_server().ok());
      std::uint64_t found = 0;
      while (cluster->lookup(kSessionA, std::to_string(found + 1)).ok()) ++found;
      CHECK(found <= made);
      CHECK(found >= (power ? synced : made));
      for (std::uint64_t i = found + 1; i <= made; ++i) CHECK_FALSE(cluster->lookup(kSessionA, std::to_string(i)).ok());
      made = synced = found;
      (void)cluster->renew(kSessionA);
    }
  }
}

TEST_CASE("a clean stop leaves nothing to replay", "[recovery]") {
  const auto cluster = small_cluster(1);
  REQUIRE(cluster);
  for (std::uint64_t i = 1; i <= 20; ++i) REQUIRE(cluster->make(kSessionA, i, std::to_string(i)).ok());
  const Time begun = cluster->world().now();
  sim::run(cluster->world(), cluster->server().stop());
  CHECK(cluster->world().now() - begun < 2s);
  cluster->cut_server_power();
  REQUIRE(cluster->start_server().ok());
  for (std::uint64_t i = 1; i <= 20; ++i) CHECK(cluster->lookup(kSessionA, std::to_string(i)).ok());
}

TEST_CASE("a store that is ahead of the log is refused with a sentence", "[recovery]") {
  const auto cluster = small_cluster(1);
  REQUIRE(cluster);
  for (std::uint64_t i = 1; i <= 200; ++i) REQUIRE(cluster->make(kSessionA, i, std::to_string(i)).ok());
  sim::run(cluster->world(), cluster->server().stop());
  cluster->kill_server();
  for (const std::string& name : cluster->meta().disk().file_names()) {
    if (name.starts_with("log/segment-")) REQUIRE(cluster->meta().disk().remove(name).ok());
  }
  const Result<void> started = cluster->start_server();
  CHECK(started.code() == ErrorCode::Corruption);
  CHECK(started.error().message.find("the command log ends at 0") != std::string::npos);
}

TEST_CASE("a damaged store stops the server with its reason", "[recovery]") {
  const auto cluster = small_cluster(1);
  REQUIRE(cluster);
  cluster->meta().kv().corrupt("state");
  CHECK(cluster->lookup(kSessionA, "a").meta.code == ErrorCode::Corruption);
  const Error why = sim::run(cluster->world(), cluster->server().failed());
  CHECK(why.message.find("damaged") != std::string::npos);
  CHECK(cluster->lookup(kSessionA, "a").meta.code == ErrorCode::Unavailable);
}

TEST_CASE("a disk that cannot sync stops the server before anything more is promised", "[recovery]") {
  const auto cluster = small_cluster(1);
  REQUIRE(cluster);
  cluster->meta().disk().set_fault([](sim::DiskOperation operation, const std::string&) -> std::optional<Error> {
    if (operation == sim::DiskOperation::Sync) return Error{ErrorCode::Io, "the disk is broken"};
    return std::nullopt;
  });
  (void)cluster->make(kSessionA, 1, "a");
  const Error why = sim::run(cluster->world(), cluster->server().failed());
  CHECK(why.message.find("the disk is broken") != std::string::npos);
  CHECK(cluster->make(kSessionA, 2, "b").meta.code == ErrorCode::Unavailable);
}

TEST_CASE("a full disk refuses changes and answers reads", "[recovery]") {
  const auto cluster = small_cluster(1);
  REQUIRE(cluster);
  cluster->meta().disk().set_fault([](sim::DiskOperation operation, const std::string&) -> std::optional<Error> {
    if (operation == sim::DiskOperation::Preallocate) return Error{ErrorCode::NoSpace, "no space left"};
    return std::nullopt;
  });
  std::uint64_t sequence = 1;
  while (cluster->make(kSessionA, sequence, std::to_string(sequence)).ok()) ++sequence;
  CHECK(cluster->make(kSessionA, sequence, std::to_string(sequence)).meta.code == ErrorCode::NoSpace);
  CHECK(cluster->lookup(kSessionA, "1").ok());
  cluster->meta().disk().set_fault({});
  CHECK(cluster->make(kSessionA, sequence, std::to_string(sequence)).ok());
}

}  // namespace mendfs::metaserver
