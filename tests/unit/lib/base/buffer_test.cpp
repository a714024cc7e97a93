#include "base/buffer.h"

#include <catch2/catch.hpp>

namespace mendfs {

TEST_CASE("a slice shares the memory and keeps it alive", "[buffer]") {
  Buffer part;
  {
    const Buffer whole = Buffer::copy_of(bytes_of("0123456789"));
    part = whole.slice(2, 5);
    CHECK(part.data() == whole.data() + 2);
  }
  CHECK(text_of(part) == "23456");
  CHECK(text_of(part.slice(4, 1)) == "6");
  CHECK(part.slice(5, 0).empty());
}

TEST_CASE("an empty buffer is fine everywhere", "[buffer]") {
  const Buffer none;
  CHECK(none.empty());
  CHECK(none.view().empty());
  CHECK(none.slice(0, 0).empty());
  CHECK(Buffer::copy_of({}).empty());
  CHECK(Buffer::allocate(0).empty());
}

}  // namespace mendfs
