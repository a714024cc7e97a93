#include "metaserver/namespace/state.h"

#include <map>

#include "tests/sim/world/random.h"
#include "tests/unit/metaserver/namespace/namespace_fixture.h"

namespace mendfs::metaserver {
namespace {

struct StateFixture {
  sim::Scheduler scheduler;
  sim::SimLoop loop{scheduler, 1};
  sim::SimKvFactory factory{loop, 1};
  std::unique_ptr<Kv> kv = std::move(*factory.open("state"));
  State state{*kv};

  std::string get(const std::string& key) {
    const auto value = state.get(key);
    REQUIRE(value.ok());
    return value->value_or("none");
  }
  std::string scan(const std::string& begin, const std::string& end, std::size_t count_max = SIZE_MAX) {
    std::string found;
    std::size_t count = 0;
    REQUIRE(state
                .scan(begin, end,
                      [&](std::string_view key, std::string_view value) {
                        found.append(key).append("=").append(value).append(" ");
                        return ++count < count_max;
                      })
                .ok());
    return found;
  }
};

TEST_CASE_METHOD(StateFixture, "a command sees its own changes, the group's and the store's, the newest first",
                 "[namespace]") {
  for (const char* key : {"a", "b", "c", "mode"}) state.put(key, "stored");
  state.accept();
  REQUIRE(state.commit().ok());
  state.put("b", "group");
  state.remove("c");
  state.put("d", "group");
  state.accept();
  state.put("a", "command");
  state.put("c", "command");
  state.remove("d");
  state.put("e", "command");
  state.remove("mode");
  CHECK(get("a") == "command");
  CHECK(get("b") == "group");
  CHECK(get("c") == "command");
  CHECK(get("d") == "none");
  CHECK(get("mode") == "none");
  CHECK(scan("a", "z") == "a=command b=group c=command e=command ");
  CHECK(scan("a", "c") == "a=command b=group ");
  CHECK(scan("a", "z", 3) == "a=command b=group c=command ");
  state.discard();
  CHECK(scan("a", "z") == "a=stored b=group d=group mode=stored ");
  CHECK(get("mode") == "stored");
  REQUIRE(state.commit().ok());
  CHECK(scan("a", "z") == "a=stored b=group d=group mode=stored ");
}

TEST_CASE_METHOD(StateFixture, "nothing reaches the store before the commit, then all in one batch", "[namespace]") {
  state.put("a", "1");
  state.put("s", "2");  // of the kind that is kept in memory too
  state.accept();
  CHECK(kv->get("a")->has_value() == false);
  REQUIRE(state.commit().ok());
  CHECK(kv->get("a")->value() == "1");
  CHECK(kv->get("s")->value() == "2");
  state.remove("s");
  state.accept();
  REQUIRE(state.commit().ok());
  CHECK(get("s") == "none");
}

TEST_CASE_METHOD(StateFixture, "a commit is due after many changes, or large ones, not after one that comes again",
                 "[namespace]") {
  for (int i = 0; i < 5000; ++i) {
    state.put("a", std::to_string(i));
    state.accept();
  }
  CHECK_FALSE(state.is_commit_due());
  for (int i = 0; i < 2000 && !state.is_commit_due(); ++i) {
    state.put("b" + std::to_string(i), "");
    state.accept();
  }
  CHECK(state.is_commit_due());
  REQUIRE(state.commit().ok());
  CHECK_FALSE(state.is_commit_due());
  state.put("c", std::string(2u << 20, 'x'));
  CHECK_FALSE(state.is_commit_due());
  state.accept();
  CHECK(state.is_commit_due());
}

TEST_CASE_METHOD(StateFixture, "a record that cannot be read is Corruption", "[namespace]") {
  state.put("a", "odd");
  CHECK(state.get_record<std::uint64_t>("a").code() == ErrorCode::Corruption);
  CHECK_FALSE(state.get_record<std::uint64_t>("b")->has_value());
}

TEST_CASE_METHOD(StateFixture, "damage in the store is an error of every read", "[namespace]") {
  factory.corrupt("state");
  CHECK(state.get("a").code() == ErrorCode::Corruption);
  CHECK(state.scan("a", "b", [](std::string_view, std::string_view) { return true; }).code() == ErrorCode::Corruption);
  CHECK(state.commit().code() == ErrorCode::Corruption);
}

TEST_CASE_METHOD(StateFixture, "layers over the store answer as one map would", "[namespace]") {
  sim::SimRandom random(5);
  std::map<std::string, std::string> model;
  std::map<std::string, std::string> accepted;
  for (int step = 0; step < 3000; ++step) {
    const std::string key(1, static_cast<char>('a' + random.below(20)));
    switch (random.below(8)) {
      case 0:
        state.remove(key);
        model.erase(key);
        break;
      case 1:
        state.accept();
        accepted = model;
        break;
      case 2:
        state.discard();
        model = accepted;
        break;
      case 3:
        state.accept();
        accepted = model;
        REQUIRE(state.commit().ok());
        break;
      default:
        model[key] = std::to_string(step);
        state.put(key, model[key]);
    }
    const std::string begin(1, static_cast<char>('a' + random.below(20)));
    const std::string end(1, static_cast<char>(begin[0] + 1 + static_cast<char>(random.below(10))));
    std::string expected;
    for (auto entry = model.lower_bound(begin); entry != model.lower_bound(end); ++entry)
      expected += entry->first + "=" + entry->second + " ";
    REQUIRE(scan(begin, end) == expected);
    REQUIRE(get(key) == (model.contains(key) ? model[key] : "none"));
  }
}

}  // namespace
}  // namespace mendfs::metaserver
