#include "dataserver/replication/write_plan.h"

#include <catch2/catch.hpp>
#include <cstring>
#include <map>
#include <string>

#include "block/checksum.h"
#include "tests/sim/world/random.h"

namespace mendfs::replication {
namespace {

constexpr std::uint32_t kBlock = 512;
constexpr std::uint32_t kSlots = 3;

/// A part about bytes [begin, end) of one server's blocks, counted as if they lay side by side from block `first` on.
protocol::WritePart part_of_bytes(RunKind kind, BlockIndex first, std::uint32_t begin, const std::string& bytes,
                                  std::uint32_t size) {
  protocol::WritePart part;
  part.kind = kind;
  const std::uint32_t end = begin + size;
  part.blocks = {first, kSlots, (end + kBlock - 1) / kBlock};
  part.first_begin = begin;
  part.last_end = end - (part.blocks.count - 1) * kBlock;
  for (std::uint32_t i = 0; kind == RunKind::Data && i < part.blocks.count; ++i) {
    const std::uint32_t from = i == 0 ? 0 : i * kBlock - begin;
    const std::uint32_t to = std::min((i + 1) * kBlock - begin, size);
    part.digests.push_back(sha256(bytes_of(bytes).subspan(from, to - from)));
  }
  return part;
}

protocol::WriteRequest request_of(protocol::WritePart part) {
  protocol::WriteRequest request;
  request.file.inode = 5;
  request.file.layout.slot_count = kSlots;
  request.parts.push_back(std::move(part));
  return request;
}

std::string random_bytes(sim::SimRandom& random, std::size_t size) {
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random.next());
  return bytes;
}

}  // namespace

TEST_CASE("merging partial blocks gives what a file would have", "[write_plan]") {
  // Four blocks, as a model of plain bytes; each stored block may be shorter than B.
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    sim::SimRandom random(seed);
    std::map<BlockIndex, std::string> stored;  // the bytes that count
    std::string model(4 * kBlock, '\0');
    for (int step = 0; step < 12; ++step) {
      const auto begin = static_cast<std::uint32_t>(random.below(4 * kBlock));
      const auto size = static_cast<std::uint32_t>(1 + random.below(4 * kBlock - begin));
      const RunKind kind = random.below(3) == 0 ? RunKind::Hole : RunKind::Data;
      const std::string bytes = random_bytes(random, kind == RunKind::Data ? size : 0);
      model.replace(begin, size, kind == RunKind::Data ? bytes : std::string(size, '\0'));
      const BlockIndex first = begin / kBlock * kSlots;
      const protocol::WriteRequest request = request_of(part_of_bytes(kind, first, begin % kBlock, bytes, size));
      Result<WritePlan> plan = plan_write(request, Buffer::copy_of(bytes_of(bytes)));
      REQUIRE(plan.ok());
      std::vector<Buffer> old_bytes;
      for (const PlannedRun& run : plan->runs)
        if (run.partial) old_bytes.push_back(Buffer::copy_of(bytes_of(stored[run.blocks.first])));
      RunHeader header;
      header.inode = 5;
      header.layout = request.file.layout;
      header.version = {1, static_cast<std::uint64_t>(step) + 1};
      for (const Run& run : make_runs(*plan, header, old_bytes)) {
        REQUIRE(check_run(run.header, run.digests.size()).ok());
        REQUIRE(run.data.size() == run.header.data_size());
        if (run.header.kind == RunKind::Data) CHECK(digests_of(run.data, kBlock) == run.digests);
        for (std::uint32_t i = 0; i < run.header.blocks.count; ++i) {
          std::string& block = stored[run.header.blocks.at(i)];
          block.clear();
          if (run.header.kind != RunKind::Data) continue;
          const std::size_t from = std::size_t{i} * kBlock;
          const std::size_t to = std::min<std::size_t>(from + kBlock, run.data.size());
          block = text_of(run.data.slice(from, to - from));
        }
      }
      std::string whole;
      for (BlockIndex block = 0; block < 4; ++block) {
        std::string bytes_here = stored[block * kSlots];
        bytes_here.resize(kBlock, '\0');
        whole += bytes_here;
      }
      REQUIRE(whole == model);
    }
  }
}

TEST_CASE("an append with a short end is one run and copies nothing", "[write_plan]") {
  sim::SimRandom random(1);
  const std::string bytes = random_bytes(random, 2 * kBlock + 100);
  const Buffer data = Buffer::copy_of(bytes_of(bytes));
  const auto size = static_cast<std::uint32_t>(bytes.size());
  Result<WritePlan> plan = plan_write(request_of(part_of_bytes(RunKind::Data, 0, 0, bytes, size)), data);
  REQUIRE(plan.ok());
  RunHeader header;
  header.layout.slot_count = kSlots;
  const std::vector<Run> runs = make_runs(*plan, header, {Buffer()});
  REQUIRE(runs.size() == 1);
  CHECK(runs[0].header.blocks == BlockRun{0, kSlots, 3});
  CHECK(runs[0].header.last_size == 100);
  CHECK(runs[0].data.data() == data.data());
}

TEST_CASE("impossible writes are refused", "[write_plan]") {
  const std::string bytes(kBlock, 'x');
  const Buffer data = Buffer::copy_of(bytes_of(bytes));
  const protocol::WriteRequest good = request_of(part_of_bytes(RunKind::Data, 0, 0, bytes, kBlock));
  REQUIRE(plan_write(good, data).ok());
  const auto refused = [&](auto change) {
    protocol::WriteRequest request = good;
    change(request);
    return plan_write(request, data).code() == ErrorCode::Malformed;
  };
  CHECK(refused([](auto& request) { request.parts.clear(); }));
  CHECK(refused([](auto& request) { request.parts[0].blocks.count = 0; }));
  CHECK(refused([](auto& request) { request.parts[0].blocks.count = UINT32_MAX; }));
  CHECK(refused([](auto& request) { request.parts[0].last_end = 0; }));
  CHECK(refused([](auto& request) { request.parts[0].last_end = kBlock + 1; }));
  CHECK(refused([](auto& request) { request.parts[0].last_end = kBlock - 1; }));
  CHECK(refused([](auto& request) { request.parts[0].first_begin = kBlock; }));
  CHECK(refused([](auto& request) { request.parts[0].first_begin = UINT32_MAX; }));
  CHECK(refused([](auto& request) { request.parts[0].digests.clear(); }));
  CHECK(refused([](auto& request) { request.parts[0].kind = RunKind::Lost; }));
  CHECK(refused([](auto& request) { request.parts[0].kind = RunKind::Hole; }));
  CHECK(refused([](auto& request) { request.parts.push_back(request.parts[0]); }));
}

}  // namespace mendfs::replication
