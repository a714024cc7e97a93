#include "tests/sim/world/sim_kv.h"

#include <catch2/catch.hpp>
#include <set>

#include "tests/sim/world/world.h"

namespace mendfs::sim {
namespace {

void put(Kv& kv, const std::string& key, const std::string& value) {
  KvBatch batch;
  batch.put(key, value);
  REQUIRE(kv.apply(batch).ok());
}

Task<void> begin_checkpoint(Kv* kv, bool* ended) {
  (void)co_await kv->checkpoint();
  *ended = true;
}

}  // namespace

TEST_CASE("a store comes back as its last checkpoint when no other had begun", "[kv]") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SimWorld world(seed);
    SimProcess& p = world.process("p");
    auto kv = p.kv().open("state");
    REQUIRE(kv.ok());
    put(**kv, "position", "1");
    REQUIRE(run(world, (*kv)->checkpoint()).ok());
    put(**kv, "position", "2");
    p.kill();
    *kv = nullptr;
    auto again = p.kv().open("state");
    REQUIRE(again.ok());
    CHECK(*(*again)->get("position") == "1");
  }
}

TEST_CASE("a store comes back as a prefix of what a checkpoint that had begun covers", "[kv]") {
  std::set<std::string> seen;
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    SimWorld world(seed);
    SimProcess& p = world.process("p");
    auto kv = p.kv().open("state");
    REQUIRE(kv.ok());
    for (int i = 0; i < 5; ++i) put(**kv, "position", std::to_string(i));
    REQUIRE(run(world, (*kv)->checkpoint()).ok());
    for (int i = 5; i < 8; ++i) put(**kv, "position", std::to_string(i));
    Scope scope;
    bool ended = false;
    scope.spawn(begin_checkpoint(kv->get(), &ended));
    REQUIRE_FALSE(ended);
    put(**kv, "position", "8");
    CHECK(*(*kv)->get("position") == "8");
    scope.cancel_all();
    p.kill();
    *kv = nullptr;
    auto again = p.kv().open("state");
    REQUIRE(again.ok());
    seen.insert((*again)->get("position")->value_or("none"));
  }
  CHECK(seen == std::set<std::string>{"4", "5", "6", "7"});
}

TEST_CASE("floor and scan keep to their bounds", "[kv]") {
  SimWorld world;
  auto kv = world.process("p").kv().open("state");
  REQUIRE(kv.ok());
  for (const char* key : {"a1", "a3", "b2"}) put(**kv, key, key);
  CHECK((*kv)->floor("a2", "a")->value().first == "a1");
  CHECK((*kv)->floor("a3", "a")->value().first == "a3");
  CHECK_FALSE((*kv)->floor("b1", "b")->has_value());
  CHECK_FALSE((*kv)->floor("a0", "")->has_value());
  std::string keys;
  const auto visit = [&](std::string_view key, std::string_view) {
    keys += key;
    return true;
  };
  REQUIRE((*kv)->scan("a2", "b2", visit).ok());
  CHECK(keys == "a3");
  REQUIRE((*kv)->scan("a2", "", visit).ok());
  CHECK(keys == "a3a3b2");
}

TEST_CASE("a damaged store says so, until it is destroyed", "[kv]") {
  SimWorld world;
  SimKvFactory& factory = world.process("p").kv();
  auto kv = factory.open("state");
  REQUIRE(kv.ok());
  CHECK(factory.open("state").code() == ErrorCode::Busy);
  factory.corrupt("state");
  CHECK((*kv)->get("x").code() == ErrorCode::Corruption);
  *kv = nullptr;
  CHECK(factory.open("state").code() == ErrorCode::Corruption);
  REQUIRE(factory.destroy("state").ok());
  CHECK(factory.open("state").ok());
}

}  // namespace mendfs::sim
