#include "dataserver/store/run_reader.h"

#include <algorithm>
#include <cstring>

#include "block/checksum.h"
#include "block/placement.h"
#include "dataserver/store/record_part.h"

namespace mendfs::store {
namespace {

/// Beyond so many bytes at once the rest of a large read is loaded afterwards.
constexpr std::size_t kLoadSizeMax = 2u << 20;
constexpr BlockIndex kBlockIndexMax = kFileSizeMax;

BlockState state_of(RunKind kind) {
  switch (kind) {
    case RunKind::Data:
      return BlockState::Data;
    case RunKind::Hole:
      return BlockState::Hole;
    case RunKind::Lost:
      break;
  }
  return BlockState::Lost;
}

bool is_what_index_names(const RunHeader& header, const ClassKey& key, const StoredRun& run) {
  const BlockRun blocks = {key.residue + (run.first - run.skip) * run.step, run.step, run.record_count};
  return header.inode == key.inode && header.kind == run.kind && header.blocks == blocks && header.cut == run.cut &&
         header.version == run.version && header.last_size == run.last_size &&
         header.layout.block_size == run.block_size();
}

Result<void> check_blocks(const BlockRun& blocks) {
  const bool possible = blocks.count > 0 && blocks.step > 0 && blocks.first <= kBlockIndexMax &&
                        std::uint64_t{blocks.count - 1} * blocks.step <= kBlockIndexMax - blocks.first;
  if (possible) return {};
  return Error{ErrorCode::Malformed, "impossible blocks"};
}

/// Zeros to fill up a short block, from memory that all share.
Buffer zeros(std::size_t size) {
  static const Buffer kZeros = [] {
    Buffer buffer = Buffer::allocate(1u << 20);
    std::memset(buffer.writable().data(), 0, buffer.size());
    return buffer;
  }();
  return kZeros.slice(0, size);
}

/// Calls `with(run)` for each stored run and `without(blocks)` for what lies between, in order.
template <class With, class Without>
void cover(const ClassKey& key, const BlockRun& blocks, const std::vector<StoredRun>& runs, With with,
           Without without) {
  Unit at = unit_of(blocks.first, blocks.step);
  const Unit end = at + blocks.count;
  const auto gap_until = [&](Unit until) {
    if (at < until)
      without(BlockRun{key.residue + at * blocks.step, blocks.step, static_cast<std::uint32_t>(until - at)});
  };
  for (const StoredRun& run : runs) {
    gap_until(run.first);
    with(run);
    at = run.end();
  }
  gap_until(end);
}

}  // namespace

std::vector<bool> verified_blocks(const RunReader::Loaded& loaded, std::uint32_t block_size) {
  const std::vector<Digest> found = digests_of(loaded.data, block_size);
  std::vector<bool> good(loaded.digests.size());
  for (std::size_t i = 0; i < good.size(); ++i) good[i] = i < found.size() && found[i] == loaded.digests[i];
  return good;
}

RunHeader part_header(const RunHeader& whole, const StoredRun& part) {
  RunHeader header = whole;
  header.blocks.first = whole.blocks.at(part.skip);
  header.blocks.count = part.count;
  if (whole.kind == RunKind::Data) header.last_size = part.own_last_size();
  return header;
}

namespace {

/// What the bytes are that were read for a part.
RunReader::Loaded judge(const RunReader::Source& source, const PartBytes& bytes) {
  const StoredRun& run = source.run;
  RunReader::Loaded loaded;
  const std::optional<RecordPrefix> prefix = decode_prefix(bytes.head, run.place);
  if (!prefix || prefix->head_size() != bytes.head.size()) return loaded;
  if (!head_is_intact(*prefix, bytes.head)) return loaded;
  const Result<RunHeader> header = decode_run(*prefix, bytes.head);
  if (!header || !is_what_index_names(*header, source.key, run)) return loaded;
  if (run.kind == RunKind::Data) {
    loaded.digests.resize(run.count);
    std::memcpy(loaded.digests.data(), bytes.digests.data(), bytes.digests.size());
  }
  loaded.data = bytes.data;
  loaded.header = *header;
  loaded.intact = true;
  return loaded;
}

/// Blocks in one state before they are read, of one of several wishes.
struct Outline {
  std::size_t wish = 0;
  ReadPiece piece;
  RunReader::Source source;  // of data
};

/// Appends one or more pieces: a run is split where blocks are bad.
void add_data(const RunReader::Source& source, const RunReader::Loaded& loaded, const CutEntry& cut, ReadWhat what,
              std::vector<ReadPiece>& pieces) {
  const StoredRun& run = source.run;
  const std::uint32_t block_size = run.block_size();
  const std::uint64_t limit = cut.limit_for(run.cut);
  const BlockRun blocks = blocks_of(source.key, run);
  // A cut inside the last block: the stored block is verified whole, then what was cut off is zeros.
  const std::uint64_t last_begin = blocks.last() * block_size;
  const bool cut_inside = limit != UINT64_MAX && limit < last_begin + run.own_last_size();

  std::vector<bool> good(run.count, loaded.intact);
  if (loaded.intact && what != ReadWhat::Data) {
    good = verified_blocks(loaded, block_size);
  } else if (loaded.intact && cut_inside) {
    const std::size_t begin = std::size_t{run.count - 1} * block_size;
    const Buffer last = loaded.data.slice(begin, run.own_last_size());
    good.back() = digests_of(last, block_size).front() == loaded.digests.back();
  }
  for (std::uint32_t begin = 0; begin < run.count;) {
    std::uint32_t end = begin + 1;
    while (end < run.count && good[end] == good[begin]) ++end;
    ReadPiece& piece = pieces.emplace_back();
    piece.blocks = {blocks.at(begin), blocks.step, end - begin};
    piece.state = good[begin] ? BlockState::Data : BlockState::Bad;
    piece.cut = run.cut;
    piece.version = run.version;
    if (good[begin]) {
      const bool last = end == run.count;
      piece.last_size = last ? run.own_last_size() : block_size;
      piece.digests.assign(loaded.digests.begin() + begin, loaded.digests.begin() + end);
      if (last && cut_inside) {
        piece.last_size = static_cast<std::uint32_t>(limit - last_begin);
        const std::size_t offset = std::size_t{end - 1} * block_size;
        piece.digests.back() = digests_of(loaded.data.slice(offset, piece.last_size), block_size).front();
      }
      if (what != ReadWhat::VerifiedDigests) {
        const std::size_t size = std::size_t{end - begin - 1} * block_size + piece.last_size;
        piece.data.push_back(loaded.data.slice(std::size_t{begin} * block_size, size));
        if (piece.last_size < block_size) piece.data.push_back(zeros(block_size - piece.last_size));
      }
    }
    begin = end;
  }
}

}  // namespace

Result<std::vector<StoredRun>> RunReader::current(InodeNumber inode, const BlockRun& blocks) {
  MENDFS_TRY_VOID(parts_.usable());
  MENDFS_TRY_VOID(check_blocks(blocks));
  const ClassKey key = class_of(inode, blocks);
  const Unit begin = unit_of(blocks.first, blocks.step);
  const Unit end = begin + blocks.count;
  MENDFS_TRY(const CutEntry* const cut, parts_.checked(parts_.cuts->get(inode)));
  MENDFS_TRY(const std::vector<StoredRun> overlapping, parts_.checked(parts_.index->overlapping(key, begin, end)));
  std::vector<StoredRun> runs;
  for (const StoredRun& run : overlapping) {
    if (run.step != blocks.step) return Error{ErrorCode::Malformed, "these blocks were stored under another layout"};
    const Unit visible_end = run.first + count_before(key, run, cut->limit_for(run.cut));
    const Unit from = std::max(begin, run.first);
    const Unit until = std::min({end, run.end(), visible_end});
    if (from < until) runs.push_back(part_of(run, from, until));
  }
  return runs;
}

Result<std::vector<Piece>> RunReader::find(InodeNumber inode, const BlockRun& blocks) {
  MENDFS_TRY(const std::vector<StoredRun> runs, current(inode, blocks));
  const ClassKey key = class_of(inode, blocks);
  std::vector<Piece> pieces;
  cover(
      key, blocks, runs,
      [&](const StoredRun& run) {
        pieces.push_back({blocks_of(key, run), state_of(run.kind), run.cut, run.version});
      },
      [&](const BlockRun& gap) {
        pieces.push_back({gap, BlockState::Absent, 0, {}});
      });
  return pieces;
}

std::shared_ptr<File> RunReader::file_of(const StoredRun& run) {
  Result<std::shared_ptr<File>> file = parts_.log.file(segment_of(run.place));
  if (!file) return nullptr;
  return *file;
}

Task<Result<RunReader::Loaded>> RunReader::load(Source source) {
  std::vector<Source> sources;
  sources.push_back(std::move(source));
  MENDFS_CO_TRY(std::vector<Loaded> loaded, co_await load_all(std::move(sources)));
  co_return std::move(loaded.front());
}

Task<Result<std::vector<RunReader::Loaded>>> RunReader::load_all(std::vector<Source> sources) {
  std::vector<PartPlaces> places;
  std::vector<Extent> extents;
  for (const Source& source : sources) {
    places.push_back(places_of(source.run));
    if (source.file != nullptr) add_extents(source.file, source.run.place, places.back(), extents);
  }
  MENDFS_CO_TRY(const std::vector<Buffer> read, co_await mendfs::read_all(std::move(extents)));
  std::vector<Loaded> loaded(sources.size());
  auto next = read.begin();
  for (std::size_t i = 0; i < sources.size(); ++i) {
    if (sources[i].file == nullptr) continue;
    const std::optional<PartBytes> bytes = take_part(places[i], next);
    if (bytes) loaded[i] = judge(sources[i], *bytes);
  }
  co_return loaded;
}

Task<Result<std::vector<ReadPiece>>> RunReader::read(InodeNumber inode, BlockRun blocks, ReadWhat what) {
  std::vector<ReadWish> wishes{{blocks, what}};
  MENDFS_CO_TRY(std::vector<std::vector<ReadPiece>> pieces, co_await read_all(inode, std::move(wishes)));
  co_return std::move(pieces.front());
}

Task<Result<std::vector<std::vector<ReadPiece>>>> RunReader::read_all(InodeNumber inode, std::vector<ReadWish> wishes) {
  MENDFS_CO_TRY(const CutEntry* const found, parts_.checked(parts_.cuts->get(inode)));
  const CutEntry cut = *found;
  std::vector<Outline> outline;
  for (std::size_t i = 0; i < wishes.size(); ++i) {
    const BlockRun& blocks = wishes[i].blocks;
    MENDFS_CO_TRY(const std::vector<StoredRun> runs, current(inode, blocks));
    const ClassKey key = class_of(inode, blocks);
    cover(
        key, blocks, runs,
        [&](const StoredRun& run) {
          ReadPiece piece;
          piece.blocks = blocks_of(key, run);
          piece.state = state_of(run.kind);
          piece.cut = run.cut;
          piece.version = run.version;
          outline.push_back({i, std::move(piece), {key, run, run.kind == RunKind::Data ? file_of(run) : nullptr}});
        },
        [&](const BlockRun& gap) {
          ReadPiece piece;
          piece.blocks = gap;
          outline.push_back({i, std::move(piece), {}});
        });
  }
  std::vector<std::vector<ReadPiece>> pieces(wishes.size());
  for (std::size_t begin = 0; begin < outline.size();) {
    std::vector<Source> sources;
    std::size_t end = begin;
    for (std::size_t size = 0; end < outline.size() && size < kLoadSizeMax; ++end) {
      if (outline[end].piece.state != BlockState::Data) continue;
      size += places_of(outline[end].source.run).size();
      sources.push_back(outline[end].source);
    }
    MENDFS_CO_TRY(const std::vector<Loaded> loaded, co_await load_all(std::move(sources)));
    auto next = loaded.begin();
    for (; begin < end; ++begin) {
      Outline& part = outline[begin];
      std::vector<ReadPiece>& target = pieces[part.wish];
      if (part.piece.state == BlockState::Data)
        add_data(part.source, *next++, cut, wishes[part.wish].what, target);
      else
        target.push_back(std::move(part.piece));
    }
  }
  co_return pieces;
}

Task<Result<Fetched>> RunReader::fetch(InodeNumber inode, BlockRun blocks) {
  MENDFS_CO_TRY(const std::vector<StoredRun> runs, current(inode, blocks));
  const ClassKey key = class_of(inode, blocks);
  Fetched fetched;
  cover(
      key, blocks, runs, [](const StoredRun&) {},
      [&](const BlockRun& gap) {
        fetched.misses.push_back({gap, BlockState::Absent, 0, {}});
      });
  std::vector<Source> sources;
  for (const StoredRun& run : runs) sources.push_back({key, run, file_of(run)});
  MENDFS_CO_TRY(const std::vector<Loaded> all_loaded, co_await load_all(std::move(sources)));
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const StoredRun& run = runs[i];
    const Loaded& loaded = all_loaded[i];
    std::vector<bool> good(run.count, loaded.intact);
    if (loaded.intact && run.kind == RunKind::Data) good = verified_blocks(loaded, run.block_size());
    for (std::uint32_t begin = 0; begin < run.count;) {
      std::uint32_t end = begin + 1;
      while (end < run.count && good[end] == good[begin]) ++end;
      const StoredRun part = part_of(run, run.first + begin, run.first + end);
      if (!good[begin]) {
        fetched.misses.push_back({blocks_of(key, part), BlockState::Bad, run.cut, run.version});
      } else {
        Run& whole = fetched.runs.emplace_back();
        whole.header = part_header(loaded.header, part);
        if (run.kind == RunKind::Data) {
          whole.digests.assign(loaded.digests.begin() + begin, loaded.digests.begin() + end);
          whole.data = loaded.data.slice(std::size_t{begin} * run.block_size(),
                                         static_cast<std::size_t>(whole.header.data_size()));
        }
      }
      begin = end;
    }
  }
  co_return fetched;
}

Result<std::uint64_t> RunReader::extent(InodeNumber inode, const Layout& layout) {
  MENDFS_TRY_VOID(parts_.usable());
  MENDFS_TRY_VOID(check_layout(layout));
  MENDFS_TRY(const CutEntry* const found, parts_.checked(parts_.cuts->get(inode)));
  const CutEntry cut = *found;
  std::uint64_t extent = 0;
  for (std::uint32_t residue = 0; residue < layout.slot_count; ++residue) {
    const ClassKey key{inode, residue};
    for (Unit end = UINT64_MAX;;) {
      MENDFS_TRY(const std::optional<StoredRun> run, parts_.checked(parts_.index->last_before(key, end)));
      if (!run) break;
      end = run->first;
      const std::uint64_t limit = cut.limit_for(run->cut);
      const std::uint32_t visible = count_before(key, *run, limit);
      if (visible == 0 || run->kind == RunKind::Hole) continue;
      const StoredRun part = part_of(*run, run->first, run->first + visible);
      const std::uint64_t last_size = run->kind == RunKind::Data ? part.own_last_size() : part.block_size();
      const std::uint64_t stored_end = blocks_of(key, part).last() * part.block_size() + last_size;
      extent = std::max(extent, std::min(limit, stored_end));
      break;
    }
  }
  return extent;
}

}  // namespace mendfs::store
