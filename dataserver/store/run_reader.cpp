#include "dataserver/store/run_reader.h"

#include <algorithm>
#include <cstring>

#include "block/checksum.h"
#include "block/placement.h"

namespace mendfs::store {
namespace {

/// Records up to this size are read whole, with one read.
constexpr std::size_t kReadWholeMax = 64u << 10;
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

Task<Result<RunReader::Loaded>> RunReader::load(ClassKey key, StoredRun run, std::shared_ptr<File> file) {
  Loaded loaded;
  if (file == nullptr) co_return loaded;
  const RunPlaces places = run_places(run.kind, run.record_count, run.block_size(), run.last_size);
  const std::size_t first_byte = std::size_t{run.skip} * run.block_size();
  const std::size_t data_size =
      run.kind == RunKind::Data ? std::size_t{run.count - 1} * run.block_size() + run.own_last_size() : 0;
  const bool whole = places.record_size <= kReadWholeMax || run.count == run.record_count;
  const std::size_t start_size = whole ? places.data_offset + first_byte + data_size : places.data_offset;

  MENDFS_CO_TRY(const Buffer start, co_await file->read(offset_of(run.place), start_size));
  if (start.size() < places.data_offset) co_return loaded;
  const std::optional<RecordPrefix> prefix = decode_prefix(start, run.place);
  if (!prefix || prefix->head_size() != places.digests_offset) co_return loaded;
  const ByteView head = start.view().first(prefix->head_size());
  if (!head_is_intact(*prefix, head)) co_return loaded;
  const Result<RunHeader> header = decode_run(*prefix, head);
  if (!header || !is_what_index_names(*header, key, run)) co_return loaded;

  if (run.kind == RunKind::Data) {
    if (whole) {
      const std::size_t from = std::min(start.size(), places.data_offset + first_byte);
      loaded.data = start.slice(from, std::min(data_size, start.size() - from));
    } else {
      const std::uint64_t offset = offset_of(run.place) + places.data_offset + first_byte;
      MENDFS_CO_TRY(loaded.data, co_await file->read(offset, data_size));
    }
    if (loaded.data.size() != data_size) co_return loaded;
    loaded.digests.resize(run.count);
    std::memcpy(loaded.digests.data(), start.data() + places.digests_offset + run.skip * sizeof(Digest),
                run.count * sizeof(Digest));
  }
  loaded.header = *header;
  loaded.intact = true;
  co_return loaded;
}

/// One read under way.
struct RunReader::ReadState {
  ClassKey key;
  ReadWhat what = ReadWhat::Data;
  CutEntry cut;
  std::vector<ReadPiece> pieces;
};

/// Blocks in one state before they are read. The file is held from the start: compaction may move the run meanwhile.
struct Outline {
  ReadPiece piece;
  StoredRun run;
  std::shared_ptr<File> file;
};

Task<Result<std::vector<ReadPiece>>> RunReader::read(InodeNumber inode, BlockRun blocks, ReadWhat what) {
  MENDFS_CO_TRY(const std::vector<StoredRun> runs, current(inode, blocks));
  MENDFS_CO_TRY(const CutEntry* const cut, parts_.checked(parts_.cuts->get(inode)));
  ReadState state;
  state.key = class_of(inode, blocks);
  state.what = what;
  state.cut = *cut;
  std::vector<Outline> outline;
  cover(
      state.key, blocks, runs,
      [&](const StoredRun& run) {
        Outline& part = outline.emplace_back();
        part.piece.blocks = blocks_of(state.key, run);
        part.piece.state = state_of(run.kind);
        part.piece.cut = run.cut;
        part.piece.version = run.version;
        part.run = run;
        if (run.kind == RunKind::Data) part.file = file_of(run);
      },
      [&](const BlockRun& gap) { outline.emplace_back().piece.blocks = gap; });
  for (Outline& part : outline) {
    if (part.piece.state == BlockState::Data) {
      MENDFS_CO_TRY_VOID(co_await read_data(&state, part.run, std::move(part.file)));
    } else {
      state.pieces.push_back(std::move(part.piece));
    }
  }
  co_return std::move(state.pieces);
}

/// Appends one or more pieces: a run is split where blocks are bad.
Task<Result<void>> RunReader::read_data(ReadState* state, StoredRun run, std::shared_ptr<File> file) {
  MENDFS_CO_TRY(const Loaded loaded, co_await load(state->key, run, std::move(file)));
  const std::uint32_t block_size = run.block_size();
  const std::uint64_t limit = state->cut.limit_for(run.cut);
  const BlockRun blocks = blocks_of(state->key, run);
  // A cut inside the last block: the stored block is verified whole, then what was cut off is zeros.
  const std::uint64_t last_begin = blocks.last() * block_size;
  const bool cut_inside = limit != UINT64_MAX && limit < last_begin + run.own_last_size();

  std::vector<bool> good(run.count, loaded.intact);
  if (loaded.intact && state->what != ReadWhat::Data) {
    good = verified_blocks(loaded, block_size);
  } else if (loaded.intact && cut_inside) {
    const std::size_t begin = std::size_t{run.count - 1} * block_size;
    const Buffer last = loaded.data.slice(begin, run.own_last_size());
    good.back() = digests_of(last, block_size).front() == loaded.digests.back();
  }
  for (std::uint32_t begin = 0; begin < run.count;) {
    std::uint32_t end = begin + 1;
    while (end < run.count && good[end] == good[begin]) ++end;
    ReadPiece& piece = state->pieces.emplace_back();
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
      if (state->what != ReadWhat::VerifiedDigests) {
        const std::size_t size = std::size_t{end - begin - 1} * block_size + piece.last_size;
        piece.data.push_back(loaded.data.slice(std::size_t{begin} * block_size, size));
        if (piece.last_size < block_size) piece.data.push_back(zeros(block_size - piece.last_size));
      }
    }
    begin = end;
  }
  co_return Result<void>{};
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
  std::vector<std::shared_ptr<File>> files;
  for (const StoredRun& run : runs) files.push_back(file_of(run));
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const StoredRun& run = runs[i];
    MENDFS_CO_TRY(const Loaded loaded, co_await load(key, run, std::move(files[i])));
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
