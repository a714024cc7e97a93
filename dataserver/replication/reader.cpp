#include "dataserver/replication/reader.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "block/copy_sum.h"
#include "env/future.h"

namespace mendfs::replication {
namespace {

using protocol::AuditRequest;
using protocol::BlockState;
using protocol::FetchRequest;
using protocol::ListRequest;
using protocol::ReadRequest;
using protocol::Served;

/// Digests of so many blocks fit into a frame's header.
constexpr std::uint64_t kReadBlocksMax = 1u << 16;
/// Of all files together: their bytes are in memory at the same time.
constexpr std::uint64_t kAuditBlocksMax = 1u << 14;
constexpr std::uint64_t kFetchBlocksMax = 1u << 15;
constexpr std::uint32_t kListRunsMax = 4096;

store::ReadWhat what_of(protocol::ReadMode mode) {
  return mode == protocol::ReadMode::Data ? store::ReadWhat::Data : store::ReadWhat::VerifiedDigests;
}

/// Takes blocks off the front of buffers that hold them one after another; a block may lie in two.
class BlockWalk {
 public:
  BlockWalk(const std::vector<Buffer>& buffers, std::uint32_t block_size)
      : next_(buffers.begin()), block_(block_size) {}

  /// Valid until the next call.
  ByteView next() {
    if (next_->size() - done_ >= block_.size()) return take(block_.size());
    for (std::size_t filled = 0; filled < block_.size();) {
      const ByteView part = take(std::min(block_.size() - filled, next_->size() - done_));
      std::memcpy(block_.data() + filled, part.data(), part.size());
      filled += part.size();
    }
    return block_;
  }

 private:
  ByteView take(std::size_t size) {
    const ByteView part = next_->view().subspan(done_, size);
    done_ += size;
    if (done_ == next_->size()) {
      ++next_;
      done_ = 0;
    }
    return part;
  }

  std::vector<Buffer>::const_iterator next_;
  std::size_t done_ = 0;
  std::vector<std::byte> block_;
};

std::vector<protocol::AuditRun> summed_up(const Served<ReadRequest>& answer, std::uint32_t block_size,
                                          const CopySum& sum) {
  std::vector<protocol::AuditRun> runs;
  BlockWalk blocks(answer.data, block_size);
  for (const protocol::ReadRun& run : answer.reply.runs) {
    protocol::AuditRun& summed = runs.emplace_back();
    summed.part = run.part;
    summed.blocks = run.blocks;
    summed.state = run.state;
    summed.version = run.version;
    summed.sums.reserve(run.digests.size());
    for (const Digest& digest : run.digests) summed.sums.push_back(sum.of(blocks.next(), digest));
  }
  return runs;
}

}  // namespace

protocol::ServedTask<ReadRequest> Reader::read(ReadRequest request) {
  MENDFS_CO_TRY_VOID(node_.check_file(request.file));
  std::uint64_t block_count = 0;
  std::uint64_t data_size = 0;
  for (const protocol::ReadPart& part : request.parts) {
    MENDFS_CO_TRY_VOID(node_.check_blocks(request.file, part.blocks));
    block_count += part.blocks.count;
    if (part.mode == protocol::ReadMode::Data)
      data_size += std::uint64_t{part.blocks.count} * request.file.layout.block_size;
  }
  if (block_count > kReadBlocksMax || data_size > kFrameDataSizeMax)
    co_return Error{ErrorCode::Malformed, "a read of more than fits into one answer"};
  MENDFS_CO_TRY_VOID(node_.admit_cuts(request.file));
  // Whoever becomes complete meanwhile was not when it looked.
  std::vector<Completeness> before;
  std::vector<store::ReadWish> wishes;
  for (const protocol::ReadPart& part : request.parts) {
    before.push_back(node_.completeness(primary_of(part.blocks.first, request.file.layout)));
    if (before.back() == Completeness::Complete) wishes.push_back({part.blocks, what_of(part.mode)});
  }
  Result<std::vector<std::vector<store::ReadPiece>>> found =
      co_await node_.store.read_all(request.file.inode, std::move(wishes));
  if (!found) {
    node_.note_store_error(found.error());
    co_return found.error();
  }
  Served<ReadRequest> answer;
  auto pieces = found->begin();
  for (std::uint32_t i = 0; i < request.parts.size(); ++i) {
    const protocol::ReadPart& part = request.parts[i];
    if (before[i] == Completeness::Complete) {
      add_part(request.file, i, part, std::move(*pieces++), &answer);
      continue;
    }
    protocol::ReadRun run;
    run.part = i;
    run.blocks = part.blocks;
    run.state = before[i] == Completeness::NoSource ? BlockState::Lost : BlockState::Unknown;
    answer.reply.runs.push_back(std::move(run));
  }
  co_return answer;
}

void Reader::add_part(const protocol::FileRef& file, std::uint32_t index, const protocol::ReadPart& part,
                      std::vector<store::ReadPiece> pieces, protocol::Served<ReadRequest>* answer) const {
  const bool absent_is_lost = node_.is_declared_lost(primary_of(part.blocks.first, file.layout), file.inode);
  for (store::ReadPiece& piece : pieces) {
    protocol::ReadRun run;
    run.part = index;
    run.blocks = piece.blocks;
    run.state = piece.state == BlockState::Absent && absent_is_lost ? BlockState::Lost : piece.state;
    run.version = piece.version;
    run.digests = std::move(piece.digests);
    answer->reply.runs.push_back(std::move(run));
    for (Buffer& bytes : piece.data) answer->data.push_back(std::move(bytes));
  }
}

protocol::ServedTask<AuditRequest> Reader::audit(AuditRequest request) {
  std::uint64_t block_count = 0;
  for (const protocol::AuditFile& file : request.files)
    for (const BlockRun& run : file.blocks) block_count += run.count;
  if (block_count > kAuditBlocksMax) co_return Error{ErrorCode::Malformed, "an audit of too many blocks at once"};
  std::vector<protocol::ServedTask<ReadRequest>> reads;
  std::vector<std::uint32_t> block_sizes;
  for (protocol::AuditFile& file : request.files) {
    block_sizes.push_back(file.file.layout.block_size);
    ReadRequest one{std::move(file.file), {}};
    for (const BlockRun& run : file.blocks) one.parts.push_back({protocol::ReadMode::Data, run});
    reads.push_back(read(std::move(one)));
  }
  std::vector<Result<Served<ReadRequest>>> answers = co_await all_of(node_.env.loop, std::move(reads));
  Served<AuditRequest> served;
  const CopySum sum(request.seed);
  for (std::size_t i = 0; i < answers.size(); ++i) {
    protocol::AuditAnswer& file = served.reply.files.emplace_back();
    file.is_known = answers[i].ok();
    if (answers[i]) file.runs = summed_up(*answers[i], block_sizes[i], sum);
  }
  co_return served;
}

protocol::ServedTask<FetchRequest> Reader::fetch(FetchRequest request) {
  if (!node_.holds(request.range)) co_return Error{ErrorCode::Refused, "a range that this server does not hold"};
  std::uint64_t block_count = 0;
  for (const protocol::FetchPart& part : request.parts) {
    if (part.blocks.count == 0 || part.blocks.step != node_.slot_count())
      co_return Error{ErrorCode::Malformed, "a fetch of impossible blocks"};
    block_count += part.blocks.count;
  }
  if (block_count > kFetchBlocksMax) co_return Error{ErrorCode::Malformed, "a fetch of more than fits into one answer"};
  // Whoever becomes complete meanwhile was not when it looked.
  const bool complete = node_.is_complete(request.range);
  Served<FetchRequest> answer;
  answer.reply.complete = complete;
  std::size_t size = 0;
  for (const protocol::FetchPart& part : request.parts) {
    Result<store::Fetched> fetched = co_await node_.store.fetch(part.inode, part.blocks);
    if (!fetched) {
      node_.note_store_error(fetched.error());
      co_return fetched.error();
    }
    for (Run& run : fetched->runs) {
      size += run.data.size();
      answer.reply.runs.push_back({std::move(run.header), std::move(run.digests)});
      if (!run.data.empty()) answer.data.push_back(std::move(run.data));
    }
    if (size > kFrameDataSizeMax) co_return Error{ErrorCode::Malformed, "a fetch of more than fits into one answer"};
    for (const store::FetchMiss& miss : fetched->misses) {
      const bool unknown = miss.state == BlockState::Absent && !complete;
      answer.reply.misses.push_back(
          {{part.inode, miss.blocks}, unknown ? BlockState::Unknown : miss.state, miss.version});
    }
    Result<store::FileCuts> cuts = node_.store.cuts(part.inode);
    if (!cuts) co_return cuts.error();
    const bool is_new = answer.reply.cuts.empty() || answer.reply.cuts.back().inode != part.inode;
    if (is_new && (cuts->deleted || cuts->cuts.number() > 0))
      answer.reply.cuts.push_back({part.inode, std::move(cuts->cuts), cuts->deleted});
  }
  co_return answer;
}

protocol::ServedTask<ListRequest> Reader::list(ListRequest request) {
  if (!node_.holds(request.range)) co_return Error{ErrorCode::Refused, "a range that this server does not hold"};
  const std::uint32_t run_count = std::clamp<std::uint32_t>(request.run_count_max, 1, kListRunsMax);
  Result<store::Listed> listed = co_await node_.store.list(request.range, request.above, request.cursor, run_count);
  if (!listed) {
    node_.note_store_error(listed.error());
    co_return listed.error();
  }
  Served<ListRequest> answer;
  protocol::ListReply& reply = answer.reply;
  reply.runs = std::move(listed->runs);
  for (RunSummary& run : reply.runs) run.digests.clear();
  reply.cuts = std::move(listed->cuts);
  reply.cursor = listed->cursor;
  reply.end = listed->end;
  const Completeness completeness = node_.completeness(request.range);
  reply.complete = completeness == Completeness::Complete && !listed->damaged;
  reply.rebuilding = completeness == Completeness::Incomplete || completeness == Completeness::NoSource;
  reply.generation = node_.store.generation();
  reply.blocks_total = node_.store.block_count(request.range);
  co_return answer;
}

}  // namespace mendfs::replication
