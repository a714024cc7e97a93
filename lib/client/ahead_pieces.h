// What one handle has fetched ahead (read_ahead.h), and how its reading looks so far. Pure; one thread.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <utility>

#include "base/buffer.h"
#include "env/future.h"
#include "env/loop.h"

namespace mendfs::client {

/// What the bytes of a file depend on here: any difference, and what was fetched before does not count any more.
struct ContentMark {
  std::uint64_t writes = 0;  // of this mount
  std::uint64_t change = 0;  // at the metaserver
  bool operator==(const ContentMark&) const = default;
};

/// Bytes [begin, end) of the file.
struct AheadPiece {
  enum class State { OnItsWay, Here, Failed };

  AheadPiece(Loop& loop, std::shared_ptr<std::uint64_t> held_bytes, std::uint64_t from, std::uint64_t to)
      : begin(from), end(to), asked(loop.now()), ended(loop), held(std::move(held_bytes)) {
    *held += end - begin;
  }
  AheadPiece(const AheadPiece&) = delete;
  AheadPiece& operator=(const AheadPiece&) = delete;
  ~AheadPiece() { *held -= end - begin; }

  const std::uint64_t begin;
  const std::uint64_t end;
  const Time asked;
  ContentMark mark;
  State state = State::OnItsWay;
  Buffer bytes;
  Signal ended;
  std::shared_ptr<std::uint64_t> held;  // of the whole mount
};

struct AheadPieces {
  std::uint64_t expected = 0;                      // where the next read begins if the file is read in order
  std::uint32_t in_order = 0;                      // reads so far that were
  std::deque<std::shared_ptr<AheadPiece>> pieces;  // ascending, without gaps

  /// Takes note of a read; forgets what it does not need any more.
  void note_read(std::uint64_t offset, std::uint64_t size);
  /// Those that contain [offset, offset + size), or none.
  std::deque<std::shared_ptr<AheadPiece>> covering(std::uint64_t offset, std::uint64_t size) const;
};

}  // namespace mendfs::client
