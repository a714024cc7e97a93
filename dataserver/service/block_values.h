// The parameters and the values of file.list and block.*. Pure; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "block/run.h"
#include "block/types.h"
#include "dataserver/store/block_store.h"
#include "rpc/value.h"

namespace mendfs::dataserver {

/// Blocks looked at by one call: their bytes are read and verified.
constexpr std::uint64_t kBlockCountMax = 16'384;

struct BlockSpan {
  InodeNumber inode = 0;
  BlockIndex first = 0;
  std::uint32_t count = 0;
};

/// inode [, first [, count]]
Result<BlockSpan> span_of(const std::vector<rpc::Value>& parameters);
/// inode, block
Result<BlockSpan> block_of(const std::vector<rpc::Value>& parameters);
/// The optional start slot of the file.
Result<std::optional<Slot>> start_of(const std::vector<rpc::Value>& parameters, std::size_t index);
Result<store::DamageMode> damage_mode(const std::string& name);

/// "term.count"
std::string describe(const Version& version);
std::string hex(const Digest& digest);
rpc::Struct describe_block(BlockIndex block, protocol::BlockState state, const Version& version, std::uint64_t cut);

using DescribedBlocks = std::vector<std::pair<BlockIndex, rpc::Value>>;
void append_blocks(DescribedBlocks& blocks, const Run& run);
void append_blocks(DescribedBlocks& blocks, const store::FetchMiss& miss);

}  // namespace mendfs::dataserver
