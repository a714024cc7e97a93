#include "corrupt/report.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

using namespace mendfs;
using namespace mendfs::corrupt;

namespace {
Damaged flipped() {
  Damaged damaged;
  damaged.path = "/a\xff";
  damaged.mode = "flip";
  damaged.slot = 1;
  damaged.server = "127.0.0.1:3333";
  damaged.inode = 1099511627777;
  damaged.block = {.block = 3, .copy = 1};
  damaged.block_size = 512;
  damaged.byte = 7;
  damaged.old_value = 0x41;
  damaged.new_value = 0x43;
  return damaged;
}
}  // namespace

TEST_CASE("the sentence names block, copy, server, byte, old and new value", "[corrupt]") {
  CHECK_THAT(describe(flipped()), Catch::Contains("block 3 (copy 1 of it) on slot 1 (127.0.0.1:3333)") &&
                                      Catch::Contains("byte 7 (offset 1543 of the file) was 0x41, is 0x43"));
}

TEST_CASE("JSON says the same, whatever bytes the path has", "[corrupt]") {
  const auto json = nlohmann::json::parse(describe_as_json(flipped()));
  CHECK(json["block"] == 3);
  CHECK(json["copy"] == 1);
  CHECK(json["old"] == 0x41);
  CHECK(json["new"] == 0x43);
  CHECK(json["offset"] == 1543);
  CHECK(json["inode"] == 1099511627777);
}

TEST_CASE("the list goes round robin from x, the second copy on the next slot", "[corrupt]") {
  LocatedFile file;
  file.size = 3 * 512;
  file.layout.slot_count = 3;
  file.layout.start = 1;
  file.addresses = {"a", "b", "c"};
  const auto json = nlohmann::json::parse(list_blocks_as_json("/f", file));
  CHECK(json["x"] == 1);
  CHECK(json["blocks"] == nlohmann::json::parse("[[1,2],[2,0],[0,1]]"));
  CHECK_THAT(list_blocks("/f", file),
             Catch::Contains("x = 1") && Catch::Contains("copy 0: slot 1 b   copy 1: slot 2 c"));
}
