#include "dataserver/service/block_methods.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "block/checksum.h"
#include "block/placement.h"
#include "dataserver/service/block_values.h"
#include "rpc/arguments.h"

namespace mendfs::dataserver {
namespace {

using protocol::BlockState;

constexpr std::uint64_t kFileCountMax = 10'000;

Error not_here(InodeNumber inode) {
  return {ErrorCode::NotFound, fmt::format("no block of inode {} is on this dataserver", inode)};
}

/// A write under way: its number is given back when its coroutine ends or is destroyed.
struct Unanswered {
  Unanswered(std::set<std::uint64_t>& numbers, std::uint64_t number) : numbers_(numbers), number_(number) {
    numbers_.insert(number_);
  }
  Unanswered(const Unanswered&) = delete;
  ~Unanswered() { numbers_.erase(number_); }

 private:
  std::set<std::uint64_t>& numbers_;
  std::uint64_t number_;
};

}  // namespace

BlockMethods::BlockMethods(Env& env, store::BlockStore& store, replication::Replica& replica)
    : env_(env), store_(store), replica_(replica) {
  session_.high = env_.random.next();
  session_.low = env_.random.next();
}

void BlockMethods::add(rpc::MethodTable& table, const char* name, const char* signature, const char* help,
                       Reply (BlockMethods::*method)(Parameters)) {
  table.add({name, signature, help,
             [this, method](Parameters parameters) { return (this->*method)(std::move(parameters)); }});
}

void BlockMethods::add_methods(rpc::MethodTable& table) {
  add(table, "file.list", "A:,A:s,A:si",
      "file.list([after inode [, count]]): the files of which blocks are here, each with inode and blocks, in the "
      "order of their inodes.",
      &BlockMethods::list_files);
  add(table, "block.list", "A:s,A:ss,A:ssi",
      "block.list(inode [, first block [, count]]): the blocks of a file that are here: block, state (data, hole, "
      "lost, bad), copy, primary, version (term.count), cut, digest (SHA-256). Each is read and verified.",
      &BlockMethods::list_blocks);
  add(table, "block.get", "S:ss",
      "block.get(inode, block): this server's copy of a block, verified: data (base64), digest, version, state.",
      &BlockMethods::get);
  add(table, "block.put", "S:ss6,S:ss6i",
      "block.put(inode, block, data [, start slot of the file]): writes a whole block, to both copies, and waits for "
      "them; to the block's primary only. The file's size is not changed. The start is needed for a file of which "
      "nothing is here yet.",
      &BlockMethods::put);
  add(table, "block.remove", "S:ss,S:ssi",
      "block.remove(inode, block [, start slot of the file]): writes a hole, on both copies; to the block's primary "
      "only. It reads as zeros.",
      &BlockMethods::remove);
  add(table, "block.verify", "S:s,S:ss,S:ssi",
      "block.verify(inode [, first block [, count]]): reads this server's copies and compares them with their digests: "
      "good (how many), bad (which).",
      &BlockMethods::verify);
  add(table, "block.repair", "S:ss,S:ssi",
      "block.repair(inode, block [, start slot of the file]): looks at this server's copy and, if it is bad, missing "
      "or old, fetches it from the other holder: repaired (how many blocks).",
      &BlockMethods::repair);
  add(table, "block.corrupt", "S:sss,S:ssss",
      "block.corrupt(inode, block, mode [, seed]): really damages this server's copy, to see it mended. mode: flip (a "
      "random byte), zero, truncate, delete, stale (an older content in its place). The same seed does the same. Says "
      "byte, old, new and what was done.",
      &BlockMethods::corrupt);
}

BlockMethods::Reply BlockMethods::list_files(Parameters parameters) {
  std::uint64_t after = 0;
  std::uint64_t count = kFileCountMax;
  if (!parameters.empty()) {
    MENDFS_CO_TRY(after, rpc::as_integer(parameters, 0, "after inode"));
  }
  if (parameters.size() > 1) {
    MENDFS_CO_TRY(count, rpc::as_integer(parameters, 1, "count"));
  }
  MENDFS_CO_TRY(const std::vector<store::FileCount> files,
                store_.list_files(after, static_cast<std::size_t>(std::min(count, kFileCountMax))));
  rpc::Array listed;
  for (const store::FileCount& file : files) {
    rpc::Struct members;
    members["inode"] = file.inode;
    members["blocks"] = file.block_count;
    listed.emplace_back(std::move(members));
  }
  co_return rpc::Value(std::move(listed));
}

std::vector<BlockRun> BlockMethods::classes_of(BlockIndex first, std::uint32_t count) const {
  std::vector<BlockRun> classes;
  const std::uint32_t step = store_.superblock().slot_count;
  for (std::uint32_t i = 0; i < std::min(step, count); ++i)
    classes.push_back({.first = first + i, .step = step, .count = (count - i + step - 1) / step});
  return classes;
}

BlockMethods::Reply BlockMethods::list_blocks(Parameters parameters) {
  MENDFS_CO_TRY(const BlockSpan span, span_of(parameters));
  DescribedBlocks blocks;
  const std::vector<BlockRun> classes = classes_of(span.first, span.count);
  for (std::size_t i = 0; i < classes.size(); ++i) {
    MENDFS_CO_TRY(const store::Fetched fetched, co_await store_.fetch(span.inode, classes[i]));
    for (const Run& run : fetched.runs) append_blocks(blocks, run);
    for (const store::FetchMiss& miss : fetched.misses) append_blocks(blocks, miss);
  }
  std::sort(blocks.begin(), blocks.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  rpc::Array listed;
  for (auto& [block, described] : blocks) listed.push_back(std::move(described));
  co_return rpc::Value(std::move(listed));
}

BlockMethods::Reply BlockMethods::get(Parameters parameters) {
  MENDFS_CO_TRY(const BlockSpan span, block_of(parameters));
  const std::vector<BlockRun> classes = classes_of(span.first, 1);
  if (classes.empty() || classes[0].step == 0) co_return not_here(span.inode);
  MENDFS_CO_TRY(const std::vector<store::ReadPiece> pieces,
                co_await store_.read(span.inode, classes[0], store::ReadWhat::VerifiedData));
  if (pieces.empty() || pieces[0].state == BlockState::Absent) co_return not_here(span.inode);
  const store::ReadPiece& piece = pieces[0];
  rpc::Struct members = describe_block(span.first, piece.state, piece.version, piece.cut);
  if (piece.state == BlockState::Data) {
    std::string content;
    for (const Buffer& part : piece.data) content += text_of(part);
    members["digest"] = hex(piece.digests.at(0));
    members["data"] = rpc::Bytes{std::move(content)};
  }
  co_return rpc::Value(std::move(members));
}

Task<Result<Layout>> BlockMethods::layout_of(InodeNumber inode, BlockIndex block) {
  std::vector<BlockRun> classes = classes_of(block, kBlockCountMax);
  const std::vector<BlockRun> first_classes = classes_of(0, kBlockCountMax);
  classes.insert(classes.end(), first_classes.begin(), first_classes.end());
  for (std::size_t i = 0; i < classes.size(); ++i) {
    MENDFS_CO_TRY(const std::vector<store::Piece> pieces, store_.find(inode, classes[i]));
    const auto present = std::find_if(pieces.begin(), pieces.end(),
                                      [](const store::Piece& piece) { return piece.state != BlockState::Absent; });
    if (present == pieces.end()) continue;
    BlockRun one = present->blocks;
    one.count = 1;
    MENDFS_CO_TRY(const store::Fetched fetched, co_await store_.fetch(inode, one));
    if (!fetched.runs.empty()) co_return fetched.runs[0].header.layout;
  }
  co_return Error{ErrorCode::NotFound,
                  fmt::format("no readable block of inode {} is on this dataserver: give the file's start slot too "
                              "(corrupt --list tells it)",
                              inode)};
}

Task<Result<protocol::FileRef>> BlockMethods::file_of(InodeNumber inode, BlockIndex block, std::optional<Slot> start) {
  const store::Superblock& superblock = store_.superblock();
  if (!superblock.adopted) co_return Error{ErrorCode::Unavailable, "this dataserver belongs to no cluster yet"};
  protocol::FileRef file;
  file.inode = inode;
  if (start) {
    file.layout.ring = superblock.ring;
    file.layout.slot_count = superblock.slot_count;
    file.layout.start = *start;
  } else {
    MENDFS_CO_TRY(file.layout, co_await layout_of(inode, block));
  }
  MENDFS_CO_TRY_VOID(check_layout(file.layout));
  MENDFS_CO_TRY(const store::FileCuts cuts, store_.cuts(inode));
  file.cuts = cuts.cuts;
  co_return file;
}

BlockMethods::Reply BlockMethods::put(Parameters parameters) {
  MENDFS_CO_TRY(const BlockSpan span, block_of(parameters));
  MENDFS_CO_TRY(std::string content, rpc::as_text(parameters, 2, "data"));
  MENDFS_CO_TRY(const std::optional<Slot> start, start_of(parameters, 3));
  MENDFS_CO_TRY(protocol::FileRef file, co_await file_of(span.inode, span.first, start));
  if (content.size() > file.layout.block_size)
    co_return Error{ErrorCode::InvalidArgument,
                    fmt::format("a block of this file has {} bytes", file.layout.block_size)};
  content.resize(file.layout.block_size, '\0');
  co_return co_await write(std::move(file), span.first, std::move(content));
}

BlockMethods::Reply BlockMethods::remove(Parameters parameters) {
  MENDFS_CO_TRY(const BlockSpan span, block_of(parameters));
  MENDFS_CO_TRY(const std::optional<Slot> start, start_of(parameters, 2));
  MENDFS_CO_TRY(protocol::FileRef file, co_await file_of(span.inode, span.first, start));
  co_return co_await write(std::move(file), span.first, std::nullopt);
}

BlockMethods::Reply BlockMethods::write(protocol::FileRef file, BlockIndex block, std::optional<std::string> content) {
  const Slot primary = primary_of(block, file.layout);
  const store::Superblock& superblock = store_.superblock();
  if (primary != superblock.slot)
    co_return Error{ErrorCode::Refused, fmt::format("dataserver {} orders the writes of this block: call {}", primary,
                                                    superblock.addresses.at(primary))};
  protocol::WritePart part;
  part.blocks = {.first = block, .step = file.layout.slot_count, .count = 1};
  part.last_end = file.layout.block_size;
  part.kind = content ? RunKind::Data : RunKind::Hole;
  Buffer data;
  if (content) {
    data = Buffer::copy_of(bytes_of(*content));
    part.digests.push_back(sha256(data));
  }
  protocol::WriteRequest request;
  request.id = {session_, ++last_sequence_};
  const Unanswered unanswered(unanswered_, last_sequence_);
  request.answered_below = *unanswered_.begin();
  request.file = std::move(file);
  request.parts.push_back(std::move(part));
  protocol::Caller caller;
  caller.role = protocol::Role::Tool;
  caller.session = session_;
  Result<protocol::Served<protocol::WriteRequest>> served =
      co_await replica_.serve(std::move(request), std::move(data), std::move(caller));
  if (!served.ok()) co_return served.error();

  rpc::Struct members;
  members["version"] = describe(served->reply.version);
  rpc::Array holders;
  for (const protocol::HolderPosition& holder : served->reply.holders) holders.emplace_back(holder.slot);
  members["holders"] = std::move(holders);
  co_return rpc::Value(std::move(members));
}

BlockMethods::Reply BlockMethods::verify(Parameters parameters) {
  MENDFS_CO_TRY(const BlockSpan span, span_of(parameters));
  std::uint64_t good = 0;
  rpc::Array bad;
  const std::vector<BlockRun> classes = classes_of(span.first, span.count);
  for (std::size_t i = 0; i < classes.size(); ++i) {
    MENDFS_CO_TRY(const std::vector<store::ReadPiece> pieces,
                  co_await store_.read(span.inode, classes[i], store::ReadWhat::VerifiedDigests));
    for (const store::ReadPiece& piece : pieces) {
      if (piece.state == BlockState::Absent) continue;
      const bool is_good = piece.state == BlockState::Data || piece.state == BlockState::Hole;
      if (is_good) good += piece.blocks.count;
      for (std::uint32_t k = 0; !is_good && k < piece.blocks.count; ++k) bad.emplace_back(piece.blocks.at(k));
    }
  }
  rpc::Struct members;
  members["good"] = good;
  members["bad"] = std::move(bad);
  co_return rpc::Value(std::move(members));
}

BlockMethods::Reply BlockMethods::repair(Parameters parameters) {
  MENDFS_CO_TRY(const BlockSpan span, block_of(parameters));
  MENDFS_CO_TRY(const std::optional<Slot> start, start_of(parameters, 2));
  protocol::RepairRequest request;
  MENDFS_CO_TRY(request.file, co_await file_of(span.inode, span.first, start));
  request.blocks.push_back({.first = span.first, .step = request.file.layout.slot_count, .count = 1});
  protocol::Caller caller;
  caller.role = protocol::Role::Tool;
  caller.session = session_;
  Buffer nothing;
  Result<protocol::Served<protocol::RepairRequest>> served =
      co_await replica_.serve(std::move(request), std::move(nothing), std::move(caller));
  if (!served.ok()) co_return served.error();
  rpc::Struct members;
  members["repaired"] = served->reply.repaired;
  co_return rpc::Value(std::move(members));
}

BlockMethods::Reply BlockMethods::corrupt(Parameters parameters) {
  MENDFS_CO_TRY(const BlockSpan span, block_of(parameters));
  MENDFS_CO_TRY(const std::string mode_name, rpc::as_text(parameters, 2, "mode"));
  MENDFS_CO_TRY(const store::DamageMode mode, damage_mode(mode_name));
  std::uint64_t seed = env_.random.next();
  if (parameters.size() > 3) {
    MENDFS_CO_TRY(seed, rpc::as_integer(parameters, 3, "seed"));
  }
  if (!store_.superblock().adopted) co_return not_here(span.inode);
  MENDFS_CO_TRY(const store::Damage damage,
                co_await store_.damage(span.inode, classes_of(span.first, 1).at(0), mode, seed));
  env_.log.warn("a block was damaged on request inode={} block={} mode={} place=\"{}\"", span.inode, span.first,
                mode_name, damage.place);
  rpc::Struct members;
  members["block"] = span.first;
  members["byte"] = damage.byte;
  members["old"] = std::uint32_t{damage.old_value};
  members["new"] = std::uint32_t{damage.new_value};
  members["what"] = damage.place;
  co_return rpc::Value(std::move(members));
}

}  // namespace mendfs::dataserver
