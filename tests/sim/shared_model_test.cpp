#include "tests/sim/shared_model.h"

#include <catch2/catch.hpp>

namespace mendfs::sim {
namespace {

constexpr SharedModel::Mount kReader = 99;

/// "aaaa", "bb" and so on: the letter says which write.
std::string letters(char letter, std::size_t count) { return std::string(count, letter); }

bool is_right(SharedModel& model, const std::string& bytes, SharedModel::Mount own = kReader) {
  return !model.check(bytes, model.now(), own);
}

TEST_CASE("concurrent writes are seen in any order, but in one, and each whole", "[shared]") {
  // Of 16 bytes in one block, a has 0 to 8 and b has 4 to 12.
  SharedModel model(letters('.', 16), 16);
  const auto a = model.begin(1, 0, letters('a', 8));
  const auto b = model.begin(2, 4, letters('b', 8));
  CHECK(is_right(model, "................"));
  CHECK(is_right(model, "aaaaaaaa........"));
  CHECK_FALSE(is_right(model, "aaaa............"));
  CHECK_FALSE(is_right(model, "aaa.bbbbbbbb...."));
  // While neither is acknowledged, the order is open.
  CHECK(is_right(model, "aaaabbbbbbbb...."));
  CHECK(is_right(model, "aaaaaaaabbbb...."));
  model.settle(a);
  model.settle(b);
  CHECK_FALSE(is_right(model, "aaaaaaaa........"));
  SECTION("a came first") {
    CHECK(is_right(model, "aaaabbbbbbbb...."));
    CHECK_FALSE(is_right(model, "aaaaaaaabbbb...."));
  }
  SECTION("b came first") {
    CHECK(is_right(model, "aaaaaaaabbbb...."));
    CHECK_FALSE(is_right(model, "aaaabbbbbbbb...."));
  }
}

TEST_CASE("a block that is half of one order and half of the other is wrong at any time", "[shared]") {
  SharedModel model(letters('.', 16), 16);
  (void)model.begin(1, 0, letters('a', 16));
  (void)model.begin(2, 4, letters('b', 8));
  (void)model.begin(2, 6, letters('c', 2));  // ends a stretch within b
  CHECK(is_right(model, "aaaabbbbbbbbaaaa"));
  CHECK_FALSE(is_right(model, "aaaabbaabbbbaaaa"));
}

TEST_CASE("what was acknowledged is never undone by a write of other bytes", "[shared]") {
  SharedModel model(letters('.', 16), 16);
  const auto a = model.begin(1, 0, letters('a', 4));
  const auto b = model.begin(2, 8, letters('b', 4));
  model.settle(a);
  CHECK(is_right(model, "aaaa............"));
  CHECK_FALSE(is_right(model, "........bbbb...."));
  model.settle(b);
  CHECK(is_right(model, "aaaa....bbbb...."));
  CHECK_FALSE(is_right(model, "aaaa............"));
}

TEST_CASE("a write that began when the other was acknowledged comes later", "[shared]") {
  SharedModel model(letters('.', 8), 8);
  model.settle(model.begin(1, 0, letters('a', 8)));
  const auto b = model.begin(2, 0, letters('b', 8));
  CHECK(is_right(model, "bbbbbbbb"));
  model.settle(b);
  CHECK(is_right(model, "bbbbbbbb"));
  CHECK_FALSE(is_right(model, "aaaaaaaa"));
}

TEST_CASE("the writes of one mount stay in order, and it sees them before others do", "[shared]") {
  SharedModel model(letters('.', 8), 8);
  const auto a = model.begin(1, 0, letters('a', 8));
  model.taken(a);
  const auto b = model.begin(1, 0, letters('b', 8));
  model.taken(b);
  const auto c = model.begin(2, 0, letters('c', 8));
  model.settle(c);
  CHECK(is_right(model, "bbbbbbbb", 1));
  model.settle(a);
  model.settle(b);
  CHECK_FALSE(is_right(model, "aaaaaaaa"));
  // What it saw of its own said nothing about c.
  CHECK(is_right(model, "cccccccc"));
}

TEST_CASE("blocks have orders of their own", "[shared]") {
  SharedModel model(letters('.', 16), 8);
  (void)model.begin(1, 4, letters('a', 8));
  (void)model.begin(2, 4, letters('b', 8));
  CHECK(is_right(model, "....aaaabbbb...."));
  CHECK(is_right(model, "........bbbb...."));
}

TEST_CASE("a power cut may take what is not durable, and nothing else", "[shared]") {
  SharedModel model(letters('.', 8), 8);
  model.make_durable(model.begin(1, 0, letters('a', 8)));
  const auto b = model.begin(1, 0, letters('b', 8));
  model.settle(b);
  CHECK_FALSE(is_right(model, "aaaaaaaa"));
  model.lose_power();
  CHECK(is_right(model, "aaaaaaaa"));
  CHECK_FALSE(is_right(model, "........"));
  CHECK_FALSE(is_right(model, "cccccccc"));
}

TEST_CASE("a flush asked for after power was lost says nothing of what was written before") {
  SharedModel model(letters('.', 8), 8);
  const auto a = model.begin(1, 0, letters('a', 8));
  model.lose_power();
  model.settle(a);
  CHECK(is_right(model, "aaaaaaaa"));
  CHECK(is_right(model, "........"));
  model.make_durable(a);
  CHECK_FALSE(is_right(model, "........"));
}

}  // namespace
}  // namespace mendfs::sim
