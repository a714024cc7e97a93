#include "dataserver/service/block_values.h"

#include <fmt/core.h>

#include <algorithm>

#include "block/placement.h"
#include "rpc/arguments.h"

namespace mendfs::dataserver {
namespace {

using protocol::BlockState;

const char* name_of(BlockState state) {
  switch (state) {
    case BlockState::Data:
      return "data";
    case BlockState::Absent:
      return "absent";
    case BlockState::Hole:
      return "hole";
    case BlockState::Unknown:
      return "unknown";
    case BlockState::Lost:
      return "lost";
    case BlockState::Bad:
      return "bad";
  }
  return "bad";
}

BlockState state_of(RunKind kind) {
  if (kind == RunKind::Hole) return BlockState::Hole;
  return kind == RunKind::Lost ? BlockState::Lost : BlockState::Data;
}

}  // namespace

Result<BlockSpan> span_of(const std::vector<rpc::Value>& parameters) {
  BlockSpan span;
  std::uint64_t count = kBlockCountMax;
  MENDFS_TRY(span.inode, rpc::as_integer(parameters, 0, "inode"));
  if (parameters.size() > 1) {
    MENDFS_TRY(span.first, rpc::as_integer(parameters, 1, "first block"));
  }
  if (parameters.size() > 2) {
    MENDFS_TRY(count, rpc::as_integer(parameters, 2, "count of blocks"));
  }
  span.count = static_cast<std::uint32_t>(std::min(count, kBlockCountMax));
  if (span.first > kFileSizeMax / kBlockSizeDefault)
    return Error{ErrorCode::InvalidArgument, "no file has such a block"};
  return span;
}

Result<BlockSpan> block_of(const std::vector<rpc::Value>& parameters) {
  if (parameters.size() < 2) return Error{ErrorCode::InvalidArgument, "the parameters are an inode and a block number"};
  MENDFS_TRY(BlockSpan span, span_of({parameters[0], parameters[1]}));
  span.count = 1;
  return span;
}

Result<std::optional<Slot>> start_of(const std::vector<rpc::Value>& parameters, std::size_t index) {
  if (parameters.size() <= index) return std::optional<Slot>();
  MENDFS_TRY(const std::uint64_t start, rpc::as_integer(parameters, index, "start slot"));
  return std::optional<Slot>(static_cast<Slot>(std::min<std::uint64_t>(start, kSlotCountMax)));
}

Result<store::DamageMode> damage_mode(const std::string& name) {
  if (name == "flip") return store::DamageMode::Flip;
  if (name == "zero") return store::DamageMode::Zero;
  if (name == "truncate") return store::DamageMode::Truncate;
  if (name == "delete") return store::DamageMode::Delete;
  if (name == "stale") return store::DamageMode::Stale;
  return Error{ErrorCode::InvalidArgument, "the mode is one of flip, zero, truncate, delete, stale"};
}

std::string describe(const Version& version) { return fmt::format("{}.{}", version.term, version.count); }

std::string hex(const Digest& digest) {
  std::string text;
  for (const std::byte byte : digest) text += fmt::format("{:02x}", std::to_integer<unsigned>(byte));
  return text;
}

rpc::Struct describe_block(BlockIndex block, BlockState state, const Version& version, std::uint64_t cut) {
  rpc::Struct members;
  members["block"] = block;
  members["state"] = name_of(state);
  members["version"] = describe(version);
  members["cut"] = cut;
  return members;
}

void append_blocks(DescribedBlocks& blocks, const Run& run) {
  for (std::uint32_t i = 0; i < run.header.blocks.count; ++i) {
    const BlockIndex block = run.header.blocks.at(i);
    rpc::Struct members = describe_block(block, state_of(run.header.kind), run.header.version, run.header.cut);
    members["copy"] = run.header.copy;
    members["primary"] = primary_of(block, run.header.layout);
    if (i < run.digests.size()) members["digest"] = hex(run.digests[i]);
    blocks.emplace_back(block, std::move(members));
  }
}

void append_blocks(DescribedBlocks& blocks, const store::FetchMiss& miss) {
  if (miss.state == BlockState::Absent) return;
  for (std::uint32_t i = 0; i < miss.blocks.count; ++i)
    blocks.emplace_back(miss.blocks.at(i), describe_block(miss.blocks.at(i), miss.state, miss.version, miss.cut));
}

}  // namespace mendfs::dataserver
