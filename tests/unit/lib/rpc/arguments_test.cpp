#include "rpc/arguments.h"

#include <catch2/catch.hpp>

namespace mendfs::rpc {
namespace {

TEST_CASE("an integer is an int or a decimal string", "[rpc]") {
  const std::vector<Value> good{Value(7), Value("7"), Value("18446744073709551615")};
  CHECK(as_integer(good, 0, "n").value() == 7);
  CHECK(as_integer(good, 1, "n").value() == 7);
  CHECK(as_integer(good, 2, "n").value() == UINT64_MAX);

  const std::vector<Value> bad{Value(-1),     Value("-1"), Value("18446744073709551616"),
                               Value("0x10"), Value(""),   Value(" 1"),
                               Value(1.0),    Value(true), Value(Bytes{"7"})};
  for (std::size_t i = 0; i <= bad.size(); ++i) {
    CAPTURE(i);
    const Result<std::uint64_t> read = as_integer(bad, i, "block");
    REQUIRE(read.code() == ErrorCode::InvalidArgument);
    CHECK(read.error().message.find("parameter " + std::to_string(i + 1) + " (block)") == 0);
  }
}

TEST_CASE("text is a string or base64, a flag only a boolean", "[rpc]") {
  const std::vector<Value> values{Value("x"), Value(Bytes{"\xff"}), Value(1), Value(true)};
  CHECK(as_text(values, 0, "name").value() == "x");
  CHECK(as_text(values, 1, "name").value() == "\xff");
  CHECK(as_text(values, 2, "name").code() == ErrorCode::InvalidArgument);
  CHECK(as_text(values, 4, "name").code() == ErrorCode::InvalidArgument);
  CHECK(as_bool(values, 3, "flag").value());
  CHECK(as_bool(values, 2, "flag").code() == ErrorCode::InvalidArgument);
}

TEST_CASE("names of any bytes become values that carry them", "[rpc]") {
  CHECK(text_or_bytes("plain") == Value("plain"));
  CHECK(text_or_bytes("a\xff") == Value(Bytes{"a\xff"}));
}

}  // namespace
}  // namespace mendfs::rpc
