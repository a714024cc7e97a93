#include "client/read_gather.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <set>

#include "block/checksum.h"
#include "block/placement.h"

namespace mendfs::client {
namespace {

constexpr std::uint32_t kBlock = 512;
const CopySum kSum(77);

Buffer content_of(BlockIndex block) {
  Buffer bytes = Buffer::allocate(kBlock);
  for (std::size_t i = 0; i < kBlock; ++i) bytes.writable()[i] = static_cast<std::byte>(block * 31 + i);
  return bytes;
}

/// Servers that hold every block, with faults by (slot, block).
struct Ring {
  Layout layout;
  std::map<std::pair<Slot, BlockIndex>, protocol::BlockState> states;
  std::set<std::pair<Slot, BlockIndex>> flipped;
  std::map<std::pair<Slot, BlockIndex>, std::uint64_t> versions;

  std::pair<protocol::ReadReply, Buffer> answer(const SlotBlocks& request) const {
    protocol::ReadReply reply;
    std::vector<std::byte> data;
    for (std::uint32_t part = 0; part < request.blocks.size(); ++part) {
      for (std::uint32_t i = 0; i < request.blocks[part].count; ++i) {
        const BlockIndex block = request.blocks[part].at(i);
        const std::pair<Slot, BlockIndex> key{request.slot, block};
        protocol::ReadRun run;
        run.part = part;
        run.blocks = {block, layout.slot_count, 1};
        run.state = states.count(key) > 0 ? states.at(key) : protocol::BlockState::Data;
        run.version = {1, versions.count(key) > 0 ? versions.at(key) : 5};
        if (run.state == protocol::BlockState::Absent) run.version = {};
        if (run.state == protocol::BlockState::Data) {
          const Buffer content = content_of(block);
          run.digests.push_back(sha256(content));
          data.insert(data.end(), content.view().begin(), content.view().end());
          if (flipped.count(key) > 0) data.back() ^= std::byte{1};
        }
        reply.runs.push_back(std::move(run));
      }
    }
    return {std::move(reply), Buffer::copy_of(data)};
  }
  std::vector<protocol::AuditRun> audit(const AuditQuestion& question) const {
    std::vector<protocol::AuditRun> runs;
    const auto [reply, data] = answer({question.slot, question.blocks()});
    std::size_t done = 0;
    for (const protocol::ReadRun& run : reply.runs) {
      runs.push_back({run.part, run.blocks, run.state, run.version, {}});
      for (const Digest& digest : run.digests) {
        runs.back().sums.push_back(kSum.of(data.slice(done, kBlock), digest));
        done += kBlock;
      }
    }
    return runs;
  }
};

const auto kAllUsable = [](Slot) { return true; };

/// Runs rounds until nobody is left to ask; the servers asked.
std::vector<Slot> run(ReadGather& gather, const Ring& ring, const std::function<bool(Slot)>& is_usable = kAllUsable) {
  std::vector<Slot> asked;
  for (;;) {
    const std::vector<SlotBlocks> requests = gather.next_round(is_usable, 0);
    if (requests.empty()) return asked;
    for (const SlotBlocks& request : requests) {
      REQUIRE(is_usable(request.slot));
      asked.push_back(request.slot);
      const auto [reply, data] = ring.answer(request);
      REQUIRE(gather.accept(request, reply, data));
    }
  }
}

void check_content(const ReadGather& gather, std::uint32_t count) {
  REQUIRE(gather.is_served());
  for (std::uint32_t i = 0; i < count; ++i)
    REQUIRE(std::memcmp(gather.bytes().data() + i * kBlock, content_of(gather.first() + i).data(), kBlock) == 0);
}

TEST_CASE("each server is asked for data at most once, and half of them are enough", "[client]") {
  for (std::uint32_t n = 2; n <= 6; ++n) {
    CAPTURE(n);
    const Ring ring{{1, n, 1, kBlock, 2}, {}, {}, {}};
    ReadGather gather(3, 64, ring.layout, kSum);
    const std::vector<Slot> asked = run(gather, ring);
    CHECK(std::set<Slot>(asked.begin(), asked.end()).size() == asked.size());
    CHECK(asked.size() == (n + 1) / 2);
    check_content(gather, 64);
    CHECK(gather.suspects().empty());
    std::uint32_t audited = 0;
    for (const AuditQuestion& question : gather.audit_questions()) {
      const auto result = compare(question, ring.audit(question));
      REQUIRE(result);
      CHECK(result->damaged.empty());
      CHECK(result->older.empty());
      audited += static_cast<std::uint32_t>(result->agreed);
    }
    CHECK(audited == 64);
  }
}

TEST_CASE("bytes that do not have their digest are never given out, and their server is suspected", "[client]") {
  Ring ring{{1, 3, 0, kBlock, 2}, {}, {}, {}};
  for (Slot slot = 0; slot < 3; ++slot) {
    ring.flipped = {{slot, 7}};
    ReadGather gather(0, 16, ring.layout, kSum);
    run(gather, ring);
    check_content(gather, 16);
    const std::vector<SlotBlocks> suspects = gather.suspects();
    // Seen only if this server was asked for that block's data.
    for (const SlotBlocks& suspect : suspects) {
      CHECK(suspect.slot == slot);
      CHECK(suspect.blocks == std::vector<BlockRun>{{7, 3, 1}});
    }
  }
}

TEST_CASE("a block whose copies are all damaged fails, and only then", "[client]") {
  Ring ring{{1, 3, 0, kBlock, 2}, {}, {}, {}};
  ring.flipped = {{1, 7}, {2, 7}};
  ReadGather gather(0, 16, ring.layout, kSum);
  run(gather, ring);
  CHECK_FALSE(gather.is_served());
  CHECK(gather.is_failed());
  ReadGather beside(8, 8, ring.layout, kSum);
  run(beside, ring);
  check_content(beside, 8);
}

TEST_CASE("a server that does not know yet makes a read wait, not fail", "[client]") {
  Ring ring{{1, 3, 0, kBlock, 2}, {}, {}, {}};
  ring.states[{1, 4}] = protocol::BlockState::Unknown;
  ring.states[{2, 4}] = protocol::BlockState::Bad;
  ReadGather gather(0, 6, ring.layout, kSum);
  run(gather, ring);
  CHECK_FALSE(gather.is_served());
  CHECK_FALSE(gather.is_failed());
  CHECK(gather.silent() == std::vector<Slot>{1});
  ring.states.erase({1, 4});
  gather.forget_silent();
  run(gather, ring);
  check_content(gather, 6);
}

TEST_CASE("servers that are away are not asked, and the other copy serves", "[client]") {
  const Ring ring{{1, 4, 2, kBlock, 2}, {}, {}, {}};
  for (Slot away = 0; away < 4; ++away) {
    CAPTURE(away);
    ReadGather gather(0, 32, ring.layout, kSum);
    run(gather, ring, [&](Slot slot) { return slot != away; });
    check_content(gather, 32);
  }
  ReadGather gather(0, 32, ring.layout, kSum);
  run(gather, ring, [](Slot slot) { return slot != 1 && slot != 2; });
  CHECK_FALSE(gather.is_served());
  CHECK_FALSE(gather.is_failed());
}

TEST_CASE("absent blocks and holes read as zeros", "[client]") {
  Ring ring{{1, 2, 0, kBlock, 2}, {}, {}, {}};
  for (Slot slot = 0; slot < 2; ++slot) {
    ring.states[{slot, 0}] = protocol::BlockState::Absent;
    ring.states[{slot, 1}] = protocol::BlockState::Hole;
  }
  ReadGather gather(0, 3, ring.layout, kSum);
  run(gather, ring);
  REQUIRE(gather.is_served());
  for (std::size_t i = 0; i < 2 * kBlock; ++i) REQUIRE(gather.bytes().view()[i] == std::byte{0});
  CHECK(gather.bytes().view()[2 * kBlock] == content_of(2).view()[0]);
}

TEST_CASE("a block that vanished from one server is read from the other, and mended", "[client]") {
  Ring ring{{1, 3, 0, kBlock, 2}, {}, {}, {}};
  for (Slot slot = 0; slot < 3; ++slot) {
    ring.states = {{{slot, 7}, protocol::BlockState::Absent}};
    ReadGather gather(7, 1, ring.layout, kSum);
    const std::vector<Slot> asked = run(gather, ring);
    check_content(gather, 1);
    const bool was_asked = std::find(asked.begin(), asked.end(), slot) != asked.end();
    CHECK(gather.suspects().size() == (was_asked ? 1 : 0));
    for (const SlotBlocks& suspect : gather.suspects()) CHECK(suspect.slot == slot);
  }
}

TEST_CASE("a block that vanished from the only server that can be asked reads as it says", "[client]") {
  Ring ring{{1, 3, 0, kBlock, 2}, {{{1, 7}, protocol::BlockState::Absent}}, {}, {}};
  ReadGather gather(7, 1, ring.layout, kSum);
  run(gather, ring, [](Slot slot) { return slot == 1; });
  REQUIRE(gather.is_served());
  CHECK(gather.bytes().data()[100] == std::byte{0});
}

TEST_CASE("an answer that does not fit the question counts as none", "[client]") {
  const Ring ring{{1, 2, 0, kBlock, 2}, {}, {}, {}};
  ReadGather gather(0, 4, ring.layout, kSum);
  const std::vector<SlotBlocks> requests = gather.next_round(kAllUsable, 0);
  const auto [good, data] = ring.answer(requests.front());
  std::vector<protocol::ReadReply> bad(6, good);
  bad[0].runs.pop_back();
  bad[1].runs.push_back(bad[1].runs.back());
  bad[2].runs[0].part = 9;
  bad[3].runs[0].blocks.first += 2;
  bad[4].runs[0].digests.clear();
  bad[5].runs[0].blocks.count = 1000;
  for (const protocol::ReadReply& reply : bad) {
    ReadGather again(0, 4, ring.layout, kSum);
    (void)again.next_round(kAllUsable, 0);
    CHECK(again.accept(requests.front(), reply, data).code() == ErrorCode::Malformed);
    CHECK_FALSE(again.is_served());
    // The other copy is asked instead.
    CHECK_FALSE(again.next_round(kAllUsable, 0).empty());
  }
  ReadGather again(0, 4, ring.layout, kSum);
  (void)again.next_round(kAllUsable, 0);
  CHECK(again.accept(requests.front(), good, data.slice(0, data.size() - 1)).code() == ErrorCode::Malformed);
}

}  // namespace
}  // namespace mendfs::client
