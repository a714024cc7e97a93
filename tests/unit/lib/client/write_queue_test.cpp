#include "client/write_queue.h"

#include <catch2/catch.hpp>
#include <deque>
#include <random>

#include "block/checksum.h"

namespace mendfs::client {
namespace {

constexpr std::uint32_t kBlock = 512;
const Layout kLayout{1, 3, 0, kBlock, 2};
constexpr Slot kRange = 1;

Buffer filled(std::size_t size, int value) {
  Buffer bytes = Buffer::allocate(size);
  std::memset(bytes.writable().data(), value, size);
  return bytes;
}

Piece piece_at(std::uint64_t begin, Buffer data, Ticket ticket) {
  Piece piece{begin, begin + data.size(), RunKind::Data, data, {}, ticket};
  for (std::size_t done = 0; done < data.size();) {
    const std::size_t size = std::min<std::size_t>(data.size() - done, kBlock - (begin + done) % kBlock);
    piece.digests.push_back(sha256(data.view().subspan(done, size)));
    done += size;
  }
  return piece;
}

/// A primary's side of the share: applies messages and checks what they promise.
struct Primary {
  std::vector<std::byte> bytes = std::vector<std::byte>(64 * kBlock);

  void apply(const WriteMessage& message) {
    std::vector<std::byte> data;
    for (const Buffer& piece : message.data) data.insert(data.end(), piece.view().begin(), piece.view().end());
    std::size_t used = 0;
    for (const protocol::WritePart& part : message.parts) {
      REQUIRE(part.blocks.step == 3);
      REQUIRE(part.blocks.first % 3 == kRange);
      const std::uint64_t begin = part.blocks.first / 3 * kBlock + part.first_begin;
      const std::uint64_t size = part.byte_count(kBlock);
      if (part.kind == RunKind::Hole) {
        REQUIRE(part.digests.empty());
        std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(begin), size, std::byte{0});
        continue;
      }
      REQUIRE(part.digests.size() == part.blocks.count);
      REQUIRE(data.size() - used >= size);
      for (std::size_t done = 0, i = 0; done < size; ++i) {
        const std::size_t in_block = std::min<std::size_t>(size - done, kBlock - (begin + done) % kBlock);
        if (in_block == kBlock) REQUIRE(sha256(ByteView(data).subspan(used + done, in_block)) == part.digests[i]);
        done += in_block;
      }
      std::copy_n(data.begin() + static_cast<std::ptrdiff_t>(used), size,
                  bytes.begin() + static_cast<std::ptrdiff_t>(begin));
      used += size;
    }
    REQUIRE(used == data.size());
  }
};

std::vector<std::uint64_t> blocks_of(const WriteMessage& message) {
  std::vector<std::uint64_t> blocks;
  for (const protocol::WritePart& part : message.parts)
    for (std::uint32_t i = 0; i < part.blocks.count; ++i) blocks.push_back(part.blocks.at(i));
  std::sort(blocks.begin(), blocks.end());
  return blocks;
}

TEST_CASE("small writes side by side leave as one part with right digests", "[client]") {
  WriteQueue queue(kRange, kLayout);
  queue.add(piece_at(0, filled(100, 1), 1));
  queue.add(piece_at(100, filled(600, 2), 2));
  queue.add(piece_at(700, filled(1000, 3), 3));
  const auto message = queue.take(1u << 20);
  REQUIRE(message);
  REQUIRE(message->parts.size() == 1);
  CHECK(message->parts[0].blocks == BlockRun{1, 3, 4});
  CHECK(message->parts[0].last_end == 1700 - 3 * kBlock);
  CHECK(message->ticket == 1);
  Primary primary;
  primary.apply(*message);
  CHECK(primary.bytes[99] == std::byte{1});
  CHECK(primary.bytes[699] == std::byte{2});
  CHECK(primary.bytes[1699] == std::byte{3});
  CHECK_FALSE(queue.take(1u << 20));
}

TEST_CASE("a block in flight holds back only its own later bytes", "[client]") {
  WriteQueue queue(kRange, kLayout);
  queue.add(piece_at(0, filled(600, 1), 1));
  const auto first = queue.take(1u << 20);
  REQUIRE(first);
  queue.add(piece_at(600, filled(2000, 2), 2));
  const auto second = queue.take(1u << 20);
  REQUIRE(second);
  CHECK(second->parts[0].blocks.first == 1 + 2 * 3);
  CHECK_FALSE(queue.take(1u << 20));
  queue.finish(first->number);
  const auto third = queue.take(1u << 20);
  REQUIRE(third);
  CHECK(third->parts[0].blocks == BlockRun{4, 3, 1});
  CHECK(third->parts[0].first_begin == 88);
}

TEST_CASE("two stretches of one block that do not touch leave one after the other", "[client]") {
  WriteQueue queue(kRange, kLayout);
  queue.add(piece_at(0, filled(10, 1), 1));
  queue.add(piece_at(100, filled(10, 2), 2));
  const auto first = queue.take(1u << 20);
  REQUIRE(first);
  CHECK(first->parts.size() == 1);
  CHECK_FALSE(queue.take(1u << 20));
  queue.finish(first->number);
  CHECK(queue.take(1u << 20));
}

TEST_CASE("what replaces queued bytes keeps their ticket, so a flush waits for it", "[client]") {
  WriteQueue queue(kRange, kLayout);
  queue.add(piece_at(0, filled(1000, 1), 7));
  queue.add(piece_at(200, filled(100, 2), 9));
  CHECK(queue.oldest() == 7);
  const auto message = queue.take(1u << 20);
  REQUIRE(message);
  for (const Piece& piece : message->pieces) CHECK(piece.ticket == 7);
  Primary primary;
  primary.apply(*message);
  CHECK(primary.bytes[199] == std::byte{1});
  CHECK(primary.bytes[200] == std::byte{2});
  CHECK(primary.bytes[300] == std::byte{1});
  queue.finish(message->number);
  CHECK(queue.oldest() == kNoTicket);
  CHECK(queue.empty());
  CHECK(queue.cost() == 0);
}

TEST_CASE("what replaced a part of a write does not take the write apart within a block", "[client]") {
  WriteQueue queue(kRange, kLayout);
  // A message that ended within the block: the next one begins to look for pieces there.
  queue.add(piece_at(512, filled(200, 1), 1));
  queue.finish(queue.take(1u << 20)->number);
  queue.add(piece_at(400, filled(600, 2), 2));
  queue.add(piece_at(690, filled(50, 3), 3));
  SECTION("all goes in one message") {
    const auto message = queue.take(1u << 20);
    REQUIRE(message);
    CHECK(queue.empty() == false);
    CHECK_FALSE(queue.has_waiting());
    CHECK(message->parts.size() == 1);
  }
  SECTION("a message that is full has the whole of its last block") {
    for (const std::size_t size_max : {1, 200, 512, 590, 650}) {
      const auto message = queue.take(size_max);
      REQUIRE(message);
      for (const auto& [begin, end] : std::vector<std::pair<std::uint64_t, std::uint64_t>>{{400, 512}, {512, 1000}}) {
        std::uint64_t taken = 0;
        for (const Piece& piece : message->pieces)
          taken += std::max(begin, std::min(end, piece.end)) - std::max(begin, std::min(end, piece.begin));
        INFO(size_max << " bytes at most: " << taken << " of " << begin << " to " << end);
        CHECK((taken == 0 || taken == end - begin));
      }
      queue.take_back(message->number);
    }
  }
}

TEST_CASE("a message that was refused waits again below what came later, cut where it was cut", "[client]") {
  WriteQueue queue(kRange, kLayout);
  queue.add(piece_at(0, filled(1024, 1), 1));
  const auto first = queue.take(1u << 20);
  REQUIRE(first);
  queue.add(piece_at(0, filled(512, 2), 2));
  queue.drop_from(700);
  queue.take_back(first->number);
  const auto again = queue.take(1u << 20);
  REQUIRE(again);
  Primary primary;
  primary.apply(*again);
  CHECK(primary.bytes[0] == std::byte{2});
  CHECK(primary.bytes[699] == std::byte{1});
  CHECK(primary.bytes[700] == std::byte{0});
}

TEST_CASE("what was cut since it was sent is seen no more", "[client]") {
  WriteQueue queue(kRange, kLayout);
  queue.add(piece_at(0, filled(1024, 1), 1));
  REQUIRE(queue.take(1u << 20));
  queue.drop_from(700);
  const std::vector<Piece> seen = queue.pieces_of(0, 4096);
  REQUIRE(seen.size() == 1);
  CHECK(seen[0].begin == 0);
  CHECK(seen[0].end == 700);
  CHECK(queue.end_place() == 700);
  CHECK(queue.pieces_of(700, 4096).empty());
}

TEST_CASE("what was cut off whole since it was sent ends nowhere", "[client]") {
  WriteQueue queue(kRange, kLayout);
  queue.add(piece_at(1024, filled(1024, 1), 1));
  REQUIRE(queue.take(1u << 20));
  queue.drop_from(1024);
  CHECK(queue.end_place() == 0);
}

TEST_CASE("a message keeps to its size, and has a block however small that is", "[client]") {
  WriteQueue queue(kRange, kLayout);
  queue.add(piece_at(0, filled(10 * kBlock, 1), 1));
  std::size_t sent = 0;
  for (const std::size_t size_max : {std::size_t{1}, std::size_t{3 * kBlock}, std::size_t{1u << 20}}) {
    const auto message = queue.take(size_max);
    REQUIRE(message);
    std::size_t size = 0;
    for (const Buffer& data : message->data) size += data.size();
    CHECK(size <= std::max<std::size_t>(size_max, kBlock));
    sent += size;
  }
  CHECK(sent == 10 * kBlock);
}

TEST_CASE("random writes, holes, cuts and refusals end as if applied in order", "[client]") {
  for (unsigned seed = 1; seed <= 50; ++seed) {
    CAPTURE(seed);
    std::mt19937 random(seed);
    const auto below = [&](std::uint64_t bound) { return random() % bound; };
    WriteQueue queue(kRange, kLayout);
    Primary primary;
    std::vector<std::byte> expected = primary.bytes;
    std::deque<WriteMessage> in_flight;
    Ticket ticket = 0;
    for (int step = 0; step < 120; ++step) {
      const std::uint64_t begin = below(30 * kBlock);
      const std::uint64_t size = 1 + below(below(2) == 0 ? 200 : 4 * kBlock);
      switch (below(6)) {
        case 0:
        case 1: {
          const int value = 1 + static_cast<int>(below(250));
          queue.add(piece_at(begin, filled(size, value), ++ticket));
          std::fill_n(expected.begin() + static_cast<std::ptrdiff_t>(begin), size, static_cast<std::byte>(value));
          break;
        }
        case 2:
          queue.add({begin, begin + size, RunKind::Hole, {}, {}, ++ticket});
          std::fill_n(expected.begin() + static_cast<std::ptrdiff_t>(begin), size, std::byte{0});
          break;
        case 3:
          if (auto message = queue.take(2048)) {
            const auto mine = blocks_of(*message);
            for (const WriteMessage& other : in_flight) {
              std::vector<std::uint64_t> both;
              const auto theirs = blocks_of(other);
              std::set_intersection(mine.begin(), mine.end(), theirs.begin(), theirs.end(), std::back_inserter(both));
              REQUIRE(both.empty());
            }
            in_flight.push_back(std::move(*message));
          }
          break;
        default: {
          if (in_flight.empty()) break;
          const auto chosen = in_flight.begin() + static_cast<std::ptrdiff_t>(below(in_flight.size()));
          if (below(4) == 0) {
            queue.take_back(chosen->number);
          } else {
            primary.apply(*chosen);
            queue.finish(chosen->number);
          }
          in_flight.erase(chosen);
        }
      }
      // What a reader sees: the primary's bytes with the queue laid over them.
      std::vector<std::byte> seen = primary.bytes;
      for (const Piece& piece : queue.pieces_of(0, 64 * kBlock))
        for (std::uint64_t i = piece.begin; i < piece.end; ++i)
          seen[i] = piece.kind == RunKind::Hole ? std::byte{0} : piece.data.view()[i - piece.begin];
      REQUIRE((seen == expected));
    }
    for (const WriteMessage& message : in_flight) {
      primary.apply(message);
      queue.finish(message.number);
    }
    while (auto message = queue.take(4096)) {
      primary.apply(*message);
      queue.finish(message->number);
    }
    REQUIRE((primary.bytes == expected));
    REQUIRE(queue.empty());
    REQUIRE(queue.cost() == 0);
  }
}

TEST_CASE("a cut forgets what waits beyond it and nothing else", "[client]") {
  WriteQueue queue(kRange, kLayout);
  queue.add(piece_at(0, filled(1000, 1), 1));
  queue.add(piece_at(2000, filled(100, 2), 2));
  queue.drop_from(600);
  const auto message = queue.take(1u << 20);
  REQUIRE(message);
  REQUIRE(message->pieces.size() == 1);
  CHECK(message->pieces[0].end == 600);
  Primary primary;
  primary.apply(*message);
  CHECK(queue.first_place() == 0);
  queue.finish(message->number);
  CHECK(queue.first_place() == UINT64_MAX);
}

}  // namespace
}  // namespace mendfs::client
