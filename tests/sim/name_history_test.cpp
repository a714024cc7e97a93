#include "tests/sim/name_history.h"

#include <catch2/catch.hpp>

namespace mendfs::sim {
namespace {

using namespace std::chrono_literals;

constexpr InodeNumber kRoot = 1;

NameChange make(const std::string& name) { return {NameChange::Kind::MakeFile, kRoot, name, 0, "", 0}; }
NameChange rename(const std::string& name, const std::string& new_name) {
  return {NameChange::Kind::Rename, kRoot, name, kRoot, new_name, 0};
}
NameModel tree(const std::map<std::string, InodeNumber>& names) {
  NameModel model(kRoot);
  for (const auto& [name, inode] : names) model.add(kRoot, name, inode, false);
  return model;
}
bool allows(NameHistory history, const NameModel& names, std::optional<NameHistory::UnderWay> under_way = {}) {
  return !history.found(names, under_way, 9s).has_value();
}

}  // namespace

TEST_CASE("after a power cut the names are a prefix of their history", "[oracle]") {
  NameHistory history(kRoot);
  history.changed(make("a"), 2, 1s);
  history.changed(make("b"), 3, 2s);
  history.changed(rename("a", "c"), 0, 3s);
  CHECK_FALSE(allows(history, tree({{"a", 2}, {"b", 3}})));
  history.lose_power(1500ms);
  CHECK_FALSE(allows(history, tree({})));
  CHECK(allows(history, tree({{"a", 2}})));
  CHECK(allows(history, tree({{"a", 2}, {"b", 3}})));
  CHECK(allows(history, tree({{"c", 2}, {"b", 3}})));
  CHECK_FALSE(allows(history, tree({{"c", 2}})));
  CHECK_FALSE(allows(history, tree({{"a", 2}, {"c", 2}, {"b", 3}})));
}

TEST_CASE("what was synced is not undone, and what was found once stays", "[oracle]") {
  NameHistory history(kRoot);
  history.changed(make("a"), 2, 1s);
  history.make_durable();
  history.changed(make("b"), 3, 2s);
  history.lose_power(0s);
  CHECK_FALSE(allows(history, tree({})));
  REQUIRE_FALSE(history.found(tree({{"a", 2}}), {}, 3s).has_value());
  history.lose_power(0s);
  CHECK_FALSE(allows(history, tree({{"a", 2}, {"b", 3}})));
}

TEST_CASE("a change that was under way comes on top of what is left", "[oracle]") {
  NameHistory history(kRoot);
  history.changed(make("a"), 2, 1s);
  history.lose_power(0s);
  const NameHistory::UnderWay failed{rename("a", "b"), ErrorCode::NotFound, 0};
  CHECK(allows(history, tree({}), failed));
  CHECK_FALSE(allows(history, tree({{"b", 2}}), failed));
  const NameHistory::UnderWay done{rename("a", "b"), ErrorCode::Ok, 0};
  CHECK(allows(history, tree({{"b", 2}}), done));
  const NameHistory::UnderWay unknown{make("b"), std::nullopt, 0};
  CHECK(allows(history, tree({{"b", 7}}), unknown));
  CHECK(allows(history, tree({{"a", 2}}), unknown));
  CHECK_FALSE(allows(history, tree({{"c", 7}}), unknown));
}

}  // namespace mendfs::sim
