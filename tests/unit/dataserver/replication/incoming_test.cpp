#include "dataserver/replication/incoming.h"

#include <catch2/catch.hpp>

#include "block/checksum.h"

namespace mendfs::replication {
namespace {

constexpr std::uint32_t kBlock = 512;

Run run_of(std::string bytes) {
  Run run;
  run.header.kind = RunKind::Data;
  run.header.blocks = {0, 3, static_cast<std::uint32_t>(bytes.size() / kBlock)};
  run.header.last_size = kBlock;
  run.data = Buffer::copy_of(bytes_of(bytes));
  run.digests = digests_of(run.data, kBlock);
  return run;
}

}  // namespace

TEST_CASE("runs that were asked for are refused when their bytes are not those of their digests", "[incoming]") {
  const Run good = run_of(std::string(3 * kBlock, 'a'));
  CHECK(verify_runs({good, good}).ok());
  CHECK(verify_runs({}).ok());
  for (std::size_t at : {std::size_t{0}, std::size_t{2 * kBlock}, std::size_t{3 * kBlock - 1}}) {
    Run bad = good;
    bad.data = Buffer::copy_of(good.data);
    bad.data.writable()[at] ^= std::byte{1};
    CHECK(verify_runs({good, bad}).code() == ErrorCode::Corruption);
  }
  Run fewer = good;
  fewer.digests.pop_back();
  CHECK(verify_runs({fewer}).code() == ErrorCode::Corruption);
  Run hole = good;
  hole.header.kind = RunKind::Hole;
  hole.data = Buffer();
  hole.digests.clear();
  CHECK(verify_runs({hole}).ok());
}

}  // namespace mendfs::replication
