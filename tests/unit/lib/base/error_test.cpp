#include "base/error.h"

#include <catch2/catch.hpp>
#include <cerrno>
#include <memory>
#include <set>

namespace mendfs {
namespace {

Result<int> half_of(int number) {
  if (number % 2 != 0) return Error{ErrorCode::InvalidArgument, "odd"};
  return number / 2;
}

Result<int> quarter_of(int number) {
  MENDFS_TRY(const int half, half_of(number));
  MENDFS_TRY(const int quarter, half_of(half));
  return quarter;
}

Result<void> check_even(int number) {
  MENDFS_TRY_VOID(half_of(number));
  return {};
}

}  // namespace

TEST_CASE("a result is a value or an error", "[error]") {
  CHECK(*half_of(8) == 4);
  CHECK(half_of(8).code() == ErrorCode::Ok);
  CHECK(half_of(7).code() == ErrorCode::InvalidArgument);
  CHECK(half_of(7).error().message == "odd");
  Result<std::unique_ptr<int>> moved = std::make_unique<int>(3);
  const std::unique_ptr<int> taken = std::move(*moved);
  CHECK(*taken == 3);
}

TEST_CASE("the first error leaves the function", "[error]") {
  CHECK(*quarter_of(12) == 3);
  CHECK(quarter_of(6).code() == ErrorCode::InvalidArgument);
  CHECK(quarter_of(7).code() == ErrorCode::InvalidArgument);
  CHECK(check_even(2).ok());
  CHECK(check_even(3).error().message == "odd");
}

TEST_CASE("each code has a name of its own, and only Ok has no errno", "[error]") {
  std::set<std::string_view> names;
  int known = 0;
  for (int number = 0; number < 256; ++number) {
    const auto code = static_cast<ErrorCode>(number);
    const std::string_view name = to_string(code);
    CHECK((to_errno(code) == 0) == (code == ErrorCode::Ok));
    if (name == "Unknown") continue;
    ++known;
    CHECK(names.insert(name).second);
  }
  CHECK(known == 30);
}

TEST_CASE("errors of POSIX go to errno and back", "[error]") {
  for (int number = 1; number <= 22; ++number) {
    const auto code = static_cast<ErrorCode>(number);
    INFO(to_string(code));
    CHECK(error_from_errno(to_errno(code), "stat x").code == code);
  }
  CHECK(error_from_errno(ENOSPC, "write a/b").message.find("write a/b: ") == 0);
  CHECK(error_from_errno(EXFULL, "x").code == ErrorCode::Io);
  CHECK(to_errno(ErrorCode::Stale) == ESTALE);
  CHECK(to_errno(ErrorCode::Corruption) == EIO);
}

}  // namespace mendfs
