// A block store against a reference that keeps every block in a map, through random writes, cuts, flushes, compactions,
// kills and power cuts.
#include <algorithm>
#include <map>
#include <set>

#include "tests/unit/dataserver/store/store_fixture.h"

namespace mendfs::store::test {
namespace {

constexpr std::uint32_t kStep = 3;
constexpr std::uint32_t kUnits = 24;
constexpr InodeNumber kFiles = 3;

/// One write as one block has it.
struct BlockWrite {
  std::uint64_t cut = 0;
  Version version;
  RunKind kind = RunKind::Data;
  std::string bytes;  // B of them, before cuts

  bool prevails_over(const BlockWrite& other) const {
    if (cut != other.cut) return cut > other.cut;
    if (version != other.version) return version > other.version;
    return kind != RunKind::Lost || other.kind == RunKind::Lost;
  }
};

struct FileModel {
  CutList cuts;
  bool deleted = false;
};

using BlockKey = std::pair<InodeNumber, BlockIndex>;

struct Model {
  std::map<BlockKey, BlockWrite> blocks;
  std::map<InodeNumber, FileModel> files;

  std::uint64_t limit(InodeNumber inode, std::uint64_t cut) {
    const FileModel& file = files[inode];
    return file.deleted ? 0 : file.cuts.limit_for(cut);
  }
  void write(InodeNumber inode, BlockIndex block, const BlockWrite& write) {
    const auto found = blocks.find({inode, block});
    // A write that is cut off already is as if it had never come.
    if (limit(inode, write.cut) <= block * 512) return;
    if (found == blocks.end() || write.prevails_over(found->second)) blocks[{inode, block}] = write;
  }
};

class ModelTest {
 public:
  explicit ModelTest(std::uint64_t seed) : fixture_(seed), random_(seed) {
    fixture_.store.reset();
    fixture_.options.segment_size = 24u << 10;
    fixture_.options.cached_runs_max = 20;  // so that the index is really asked
    fixture_.open();
    synced_ = model_;
  }

  void run(std::size_t steps) {
    for (std::size_t i = 0; i < steps; ++i) {
      step();
      if (i % 16 == 0) compare();
    }
    compare();
    compare_listing();
  }

 private:
  void step() {
    const std::uint64_t choice = random_.below(100);
    if (choice < 70) {
      append();
    } else if (choice < 76) {
      cut();
    } else if (choice < 82) {
      fixture_.sync();
      synced_ = model_;
      writes_since_sync_.clear();
    } else if (choice < 86) {
      fixture_.flush();
      synced_ = model_;
      writes_since_sync_.clear();
    } else if (choice < 89) {
      fixture_.compact();
    } else if (choice < 92) {
      fixture_.world.run_for(Duration(random_.below(3'000'000'000)));
    } else if (choice < 95) {
      fixture_.restart();
      REQUIRE_FALSE(fixture_.store->recovery().records_lost);
      compare();
    } else if (choice < 97) {
      fixture_.stop(false);
      fixture_.process.kv().corrupt("index");
      fixture_.open();
      REQUIRE_FALSE(fixture_.store->recovery().records_lost);
      compare();
    } else {
      power_cut();
    }
  }

  void append() {
    std::vector<Run> runs;
    const std::uint64_t count = random_.between(1, 3);
    const InodeNumber inode = 1 + random_.below(kFiles);
    for (std::uint64_t i = 0; i < count; ++i) {
      RunSpec spec;
      spec.inode = inode;
      spec.first = random_.below(kStep * kUnits);
      spec.count = static_cast<std::uint32_t>(random_.between(1, 6));
      spec.version = {1, random_.one_in(5) ? std::max<std::uint64_t>(version_, 20) - random_.below(20) : ++version_};
      spec.cut = model_.files[spec.inode].cuts.number();
      if (random_.one_in(6) && spec.cut > 0) --spec.cut;
      if (random_.one_in(6)) spec.kind = random_.one_in(3) ? RunKind::Lost : RunKind::Hole;
      spec.last_size = static_cast<std::uint32_t>(random_.between(1, 512));
      // Of one version there is one content, whoever brings it.
      spec.seed = spec.version.count * 1000;
      runs.push_back(make_run(spec));
      if (spec.kind == RunKind::Data) fill_by_block(runs.back());
    }
    const Result<Position> position =
        fixture_.store->append(runs, random_.one_in(2) ? SpaceUse::Normal : SpaceUse::Reserve);
    INFO((position ? std::string() : position.error().message));
    REQUIRE(position);
    for (const Run& run : runs) {
      for (std::uint32_t i = 0; i < run.header.blocks.count; ++i) {
        BlockWrite write{run.header.cut, run.header.version, run.header.kind, {}};
        if (run.header.kind == RunKind::Data) {
          write.bytes = text_of(run.data).substr(std::size_t{i} * 512, 512);
          write.bytes.resize(512);
        }
        model_.write(inode, run.header.blocks.at(i), write);
        writes_since_sync_.insert({{inode, run.header.blocks.at(i)}, write});
      }
    }
  }

  /// Bytes that depend on version and block alone, also across runs; the last block's end differs, so a version that
  /// comes twice is as long as its first.
  void fill_by_block(Run& run) {
    run.header.last_size = 512 - static_cast<std::uint32_t>(run.header.version.count % 3) * 100;
    Buffer data = Buffer::allocate(static_cast<std::size_t>(run.header.data_size()));
    const std::uint32_t stored = run.header.last_size;
    for (std::uint32_t i = 0; i < run.header.blocks.count; ++i) {
      const std::uint32_t size = i + 1 == run.header.blocks.count ? stored : 512;
      const Buffer block = filled(stored, run.header.version.count * 100'000 + run.header.blocks.at(i));
      std::string bytes(text_of(block));
      bytes.resize(512);
      std::copy_n(bytes_of(bytes).begin(), size, data.writable().begin() + std::ptrdiff_t{i} * 512);
    }
    run.data = data;
    run.digests = digests_of(run.data, 512);
  }

  void cut() {
    const InodeNumber inode = 1 + random_.below(kFiles);
    FileModel& file = model_.files[inode];
    if (file.cuts.number() > 40) return;
    const Cut cut{file.cuts.number() + 1, random_.below(kStep * kUnits * 512 + 1000)};
    file.cuts.add(cut);
    file.deleted = file.deleted || random_.one_in(60);
    REQUIRE(fixture_.store->add_cuts(inode, file.cuts, file.deleted));
  }

  void power_cut() {
    const Model before = model_;
    fixture_.restart(true);
    REQUIRE(fixture_.store->recovery().rebooted);
    REQUIRE_FALSE(fixture_.store->recovery().records_lost);
    // Each file has at least the synced cuts; each block at least its synced write, or a later one.
    for (InodeNumber inode = 1; inode <= kFiles; ++inode) {
      const Result<FileCuts> cuts = fixture_.store->cuts(inode);
      REQUIRE(cuts);
      REQUIRE(cuts->cuts.number() >= synced_.files[inode].cuts.number());
      REQUIRE(cuts->cuts.number() <= model_.files[inode].cuts.number());
      REQUIRE((cuts->deleted || !synced_.files[inode].deleted));
      model_.files[inode] = {cuts->cuts, cuts->deleted};
    }
    model_.blocks.clear();
    for (InodeNumber inode = 1; inode <= kFiles; ++inode)
      for (std::uint32_t residue = 0; residue < kStep; ++residue) adopt(inode, residue);
    synced_ = model_;
    writes_since_sync_.clear();
    compare();
  }

  /// Takes over what the store has, after checking that it may have it.
  void adopt(InodeNumber inode, std::uint32_t residue) {
    const std::vector<ReadPiece> pieces = fixture_.read(residue, kUnits + 6, ReadWhat::VerifiedData, inode, kStep);
    for (const ReadPiece& piece : pieces) {
      REQUIRE(piece.state != BlockState::Bad);
      for (std::uint32_t i = 0; i < piece.blocks.count; ++i) {
        const BlockKey key{inode, piece.blocks.at(i)};
        const auto old = synced_.blocks.find(key);
        const bool had = old != synced_.blocks.end() && model_.limit(inode, old->second.cut) > key.second * 512;
        if (piece.state == BlockState::Absent) {
          REQUIRE_FALSE(had);
          continue;
        }
        const BlockWrite* source = nullptr;
        if (had && old->second.cut == piece.cut && old->second.version == piece.version) source = &old->second;
        const auto [begin, end] = writes_since_sync_.equal_range(key);
        for (auto write = begin; write != end; ++write)
          if (write->second.cut == piece.cut && write->second.version == piece.version &&
              (source == nullptr || write->second.prevails_over(*source)) &&
              (write->second.kind == RunKind::Data) == (piece.state == BlockState::Data))
            source = &write->second;
        REQUIRE(source != nullptr);
        if (had) REQUIRE_FALSE((old->second.prevails_over(*source) && !source->prevails_over(old->second)));
        model_.blocks[key] = *source;
      }
    }
  }

  void compare() {
    for (InodeNumber inode = 1; inode <= kFiles; ++inode) {
      for (std::uint32_t residue = 0; residue < kStep; ++residue) {
        const ReadWhat what = random_.one_in(2) ? ReadWhat::Data : ReadWhat::VerifiedData;
        const std::vector<ReadPiece> pieces = fixture_.read(residue, kUnits + 6, what, inode, kStep);
        const Result<std::vector<Piece>> found = fixture_.store->find(inode, {residue, kStep, kUnits + 6});
        REQUIRE(found);
        REQUIRE(found->size() == pieces.size());
        BlockIndex next = residue;
        for (std::size_t i = 0; i < pieces.size(); ++i) {
          REQUIRE(pieces[i].blocks.first == next);
          REQUIRE((*found)[i].blocks == pieces[i].blocks);
          REQUIRE((*found)[i].state == pieces[i].state);
          next = pieces[i].blocks.last() + kStep;
          compare_piece(inode, pieces[i]);
        }
        REQUIRE(next == residue + kStep * (kUnits + 6));
      }
      compare_extent(inode);
    }
  }

  void compare_piece(InodeNumber inode, const ReadPiece& piece) {
    const std::string bytes = bytes_of_piece(piece);
    for (std::uint32_t i = 0; i < piece.blocks.count; ++i) {
      const BlockIndex block = piece.blocks.at(i);
      const auto found = model_.blocks.find({inode, block});
      const std::uint64_t limit = found == model_.blocks.end() ? 0 : model_.limit(inode, found->second.cut);
      if (limit <= block * 512) {
        REQUIRE(piece.state == BlockState::Absent);
        continue;
      }
      const BlockWrite& write = found->second;
      REQUIRE(piece.version == write.version);
      REQUIRE(piece.cut == write.cut);
      if (write.kind == RunKind::Hole) REQUIRE(piece.state == BlockState::Hole);
      if (write.kind == RunKind::Lost) REQUIRE(piece.state == BlockState::Lost);
      if (write.kind != RunKind::Data) continue;
      REQUIRE(piece.state == BlockState::Data);
      std::string expected = write.bytes;
      if (limit < (block + 1) * 512) expected.resize(limit - block * 512);
      expected.resize(512);
      REQUIRE(bytes.substr(std::size_t{i} * 512, 512) == expected);
      REQUIRE(piece.digests[i] == sha256(bytes_of(expected)));
    }
  }

  void compare_extent(InodeNumber inode) {
    std::uint64_t least = 0;  // up to the last byte that is not zero, and no further than the blocks there are
    std::uint64_t most = 0;
    for (const auto& [key, write] : model_.blocks) {
      const std::uint64_t begin = key.second * 512;
      const std::uint64_t limit = model_.limit(inode, write.cut);
      if (key.first != inode || write.kind == RunKind::Hole || limit <= begin) continue;
      std::string bytes = write.bytes;
      bytes.resize(std::min<std::uint64_t>(bytes.size(), limit - begin));
      const std::size_t last = bytes.find_last_not_of('\0');
      if (last != std::string::npos) least = std::max(least, begin + last + 1);
      most = std::max(most, std::min(limit, begin + 512));
    }
    const Result<std::uint64_t> extent = fixture_.store->extent(inode, layout_of(kStep));
    REQUIRE(extent);
    REQUIRE(*extent >= least);
    REQUIRE(*extent <= most);
  }

  void compare_listing() {
    std::set<BlockKey> listed;
    for (Slot range = 0; range < kStep; ++range) {
      const Listed all = fixture_.list(range);
      REQUIRE_FALSE(all.damaged);
      for (const RunSummary& run : all.runs) {
        REQUIRE(check_run(run.header, run.digests.size()));
        for (std::uint32_t i = 0; i < run.header.blocks.count; ++i) {
          const BlockKey key{run.header.inode, run.header.blocks.at(i)};
          REQUIRE(model_.blocks.at(key).version == run.header.version);
          REQUIRE(key.second % kStep == range);
          listed.insert(key);
        }
      }
      if (range > 0) continue;
      std::size_t files = 0;
      for (const auto& [inode, file] : model_.files) files += file.deleted || !file.cuts.cuts().empty() ? 1 : 0;
      REQUIRE(all.cuts.size() == files);
    }
    for (const auto& [key, write] : model_.blocks) {
      if (model_.limit(key.first, write.cut) <= key.second * 512) continue;
      REQUIRE(listed.contains(key));
    }
  }

  StoreFixture fixture_;
  sim::SimRandom random_;
  Model model_;
  Model synced_;
  std::multimap<BlockKey, BlockWrite> writes_since_sync_;
  std::uint64_t version_ = 0;
};

}  // namespace

TEST_CASE("a store does what a map does, whatever happens to its machine", "[store]") {
  const std::uint64_t seed = GENERATE(range(1, 31));
  INFO("seed " << seed);
  ModelTest test(seed);
  test.run(400);
}

}  // namespace mendfs::store::test
