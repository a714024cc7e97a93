#include "tests/sim/file_model.h"

#include <catch2/catch.hpp>

namespace mendfs::sim {
namespace {

bool allows(const FileModel& model, std::string_view bytes, FileModel::Mark seen) {
  return !model.check(0, 100, bytes, {seen, seen}).has_value();
}

}  // namespace

TEST_CASE("the oracle allows what may be in doubt and nothing else", "[oracle]") {
  FileModel model(4);
  model.write(0, "aaaa");
  model.settle(model.mark());
  model.make_durable(model.mark());
  model.write(0, "bbbb");
  model.settle(model.mark());
  model.write(0, "cccc");

  CHECK(allows(model, "cccc", model.mark()));
  CHECK_FALSE(allows(model, "bbbb", model.mark()));
  CHECK(allows(model, "bbbb", model.seen_by_others().bytes));
  CHECK_FALSE(allows(model, "aaaa", model.seen_by_others().bytes));
  CHECK_FALSE(allows(model, "bbcc", model.seen_by_others().bytes));
  CHECK_FALSE(allows(model, std::string_view("\0\0\0\0", 4), model.seen_by_others().bytes));
  model.lose_power();
  CHECK(allows(model, "aaaa", model.mark()));
  CHECK(allows(model, "bbbb", model.mark()));
  CHECK_FALSE(allows(model, std::string_view("\0\0\0\0", 4), model.seen_by_others().bytes));
  model.make_durable(model.mark());
  CHECK_FALSE(allows(model, "aaaa", model.mark()));
  CHECK_FALSE(allows(model, "bbbb", model.mark()));
  model.write(0, "cccd");
  model.lose_power();
  model.report_loss();
  model.make_durable(model.mark());
  CHECK(allows(model, "cccc", model.mark()));
  model.write(0, "dddd");
  model.make_durable(model.mark());
  CHECK_FALSE(allows(model, "aaaa", model.mark()));
  CHECK(allows(model, "dddd", model.mark()));
}

TEST_CASE("the oracle knows sizes, holes and cuts", "[oracle]") {
  FileModel model(4);
  model.write(6, "xy");
  const std::string expected("\0\0\0\0\0\0xy", 8);
  CHECK(allows(model, expected, model.mark()));
  CHECK_FALSE(allows(model, expected.substr(0, 6), model.mark()));
  CHECK_FALSE(allows(model, expected + "z", model.mark()));
  CHECK(allows(model, "", 0));
  model.truncate(7);
  CHECK(allows(model, expected.substr(0, 7), model.mark()));
  CHECK_FALSE(allows(model, expected, model.mark()));
  model.truncate(8);
  CHECK(allows(model, std::string("\0\0\0\0\0\0x\0", 8), model.mark()));
  CHECK_FALSE(allows(model, expected, model.mark()));
}

TEST_CASE("the oracle leaves open what a dead writer had in hand, and takes the size that was found", "[oracle]") {
  FileModel model(4);
  model.write(0, "aaaabbbb");
  model.settle(model.mark());
  model.write(8, "cccc");
  model.truncate(4);
  model.lose_writer();
  CHECK(model.adopt_size(13).has_value());
  CHECK(model.adopt_size(3).has_value());
  REQUIRE_FALSE(model.adopt_size(12).has_value());
  CHECK(model.size() == 12);
  model.settle(model.mark());
  const FileModel::Mark all = model.seen_by_others().bytes;
  CHECK(allows(model, "aaaabbbbcccc", all));
  CHECK(allows(model, std::string("aaaabbbb\0\0\0\0", 12), all));
  CHECK_FALSE(allows(model, "aaaabbbb", all));
  CHECK_FALSE(allows(model, std::string("\0\0\0\0bbbbcccc", 12), all));
}

TEST_CASE("the oracle lets a size lag behind its bytes until it was told", "[oracle]") {
  FileModel model(4);
  model.write(0, "aaaa");
  model.settle_bytes(model.mark());
  CHECK_FALSE(model.check(0, 100, "", model.seen_by_others()).has_value());
  CHECK(model.check(0, 100, "bbbb", model.seen_by_others()).has_value());
  model.settle(model.mark());
  CHECK(model.check(0, 100, "", model.seen_by_others()).has_value());
}

}  // namespace mendfs::sim
