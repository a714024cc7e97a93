#include "dataserver/replication/write_plan.h"

#include <algorithm>
#include <cstring>

#include "block/checksum.h"
#include "dataserver/replication/order_queue.h"

namespace mendfs::replication {
namespace {

using protocol::WritePart;

Error malformed(const char* why) { return Error{ErrorCode::Malformed, std::string("impossible write: ") + why}; }

Result<void> check_part(const WritePart& part, std::uint32_t block_size) {
  if (part.blocks.count == 0) return malformed("no blocks");
  if (part.last_end == 0 || part.last_end > block_size) return malformed("end within the last block");
  if (part.first_begin >= block_size) return malformed("begin within the first block");
  if (part.blocks.count == 1 && part.first_begin >= part.last_end) return malformed("no bytes");
  if (part.kind == RunKind::Lost) return malformed("a lost run");
  const std::size_t digest_count = part.kind == RunKind::Data ? part.blocks.count : 0;
  if (part.digests.size() != digest_count) return malformed("digest count");
  return {};
}

Result<void> check_disjoint(std::vector<WritePart> parts) {
  std::sort(parts.begin(), parts.end(),
            [](const WritePart& a, const WritePart& b) { return a.blocks.first < b.blocks.first; });
  for (std::size_t i = 1; i < parts.size(); ++i)
    if (share_blocks(parts[i - 1].blocks, parts[i].blocks)) return malformed("a block twice");
  return {};
}

/// The blocks of a part from its `begin`-th to before its `end`-th.
BlockRun sub_run(const BlockRun& blocks, std::uint32_t begin, std::uint32_t end) {
  return {blocks.at(begin), blocks.step, end - begin};
}

/// Splits off the first and the last block when they are partial.
void split_part(const WritePart& part, std::uint32_t block_size, std::size_t offset, std::vector<PlannedRun>& runs) {
  const std::uint32_t count = part.blocks.count;
  const bool is_data = part.kind == RunKind::Data;
  auto add = [&](std::uint32_t begin_block, std::uint32_t end_block, std::uint32_t begin, std::uint32_t end) {
    PlannedRun run;
    run.kind = part.kind;
    run.blocks = sub_run(part.blocks, begin_block, end_block);
    run.partial = end_block - begin_block == 1 && (begin > 0 || end < block_size);
    run.begin = begin;
    run.end = end;
    run.offset = offset;
    if (is_data) {
      run.size = run.partial ? end - begin : std::size_t{run.blocks.count} * block_size;
      run.digests.assign(part.digests.begin() + begin_block, part.digests.begin() + end_block);
    }
    offset += run.size;
    runs.push_back(std::move(run));
  };
  if (count == 1) {
    add(0, 1, part.first_begin, part.last_end);
    return;
  }
  const std::uint32_t whole_begin = part.first_begin > 0 ? 1 : 0;
  const std::uint32_t whole_end = part.last_end < block_size ? count - 1 : count;
  if (whole_begin > 0) add(0, 1, part.first_begin, block_size);
  if (whole_begin < whole_end) add(whole_begin, whole_end, 0, block_size);
  if (whole_end < count) add(whole_end, count, 0, part.last_end);
}

Run merged_block(const PlannedRun& planned, const Buffer& written, RunHeader header, const Buffer& old_bytes) {
  const std::uint32_t block_size = header.layout.block_size;
  const std::size_t old_size = old_bytes.size();
  std::size_t size = std::max<std::size_t>(old_size, planned.end);
  // Zeros at the end of a block are not stored.
  if (planned.kind == RunKind::Hole && old_size <= planned.end) size = std::min<std::size_t>(old_size, planned.begin);
  Run run;
  run.header = header;
  run.header.blocks = planned.blocks;
  run.header.kind = size == 0 ? RunKind::Hole : RunKind::Data;
  run.header.last_size = static_cast<std::uint32_t>(size);
  if (size == 0) return run;
  if (planned.kind == RunKind::Data && planned.begin == 0 && old_size <= planned.end) {
    run.data = written;
  } else {
    run.data = Buffer::allocate(size);
    std::byte* target = run.data.writable().data();
    std::memset(target, 0, size);
    if (old_size > 0) std::memcpy(target, old_bytes.data(), std::min(old_size, size));
    if (planned.kind == RunKind::Data) {
      std::memcpy(target + planned.begin, written.data(), written.size());
    } else if (planned.begin < size) {
      std::memset(target + planned.begin, 0, std::min<std::size_t>(planned.end, size) - planned.begin);
    }
  }
  run.digests = digests_of(run.data, block_size);
  return run;
}

}  // namespace

std::vector<BlockRun> WritePlan::blocks() const {
  std::vector<BlockRun> all;
  for (const PlannedRun& run : runs) all.push_back(run.blocks);
  return all;
}

Result<WritePlan> plan_write(const protocol::WriteRequest& request, Buffer data) {
  const std::uint32_t block_size = request.file.layout.block_size;
  if (request.parts.empty()) return malformed("no parts");
  WritePlan plan;
  std::size_t offset = 0;
  for (const WritePart& part : request.parts) {
    MENDFS_TRY_VOID(check_part(part, block_size));
    const std::uint64_t size = part.kind == RunKind::Data ? part.byte_count(block_size) : 0;
    if (size > data.size() - offset) return malformed("fewer bytes than it names");
    split_part(part, block_size, offset, plan.runs);
    offset += size;
  }
  if (offset != data.size()) return malformed("more bytes than it names");
  MENDFS_TRY_VOID(check_disjoint(request.parts));
  plan.data = std::move(data);
  return plan;
}

std::vector<Run> make_runs(const WritePlan& plan, const RunHeader& header, const std::vector<Buffer>& old_bytes) {
  std::vector<Run> runs;
  const PlannedRun* before = nullptr;  // the planned run that runs.back() ends with
  std::size_t merged = 0;
  for (const PlannedRun& planned : plan.runs) {
    const Buffer written = plan.data.slice(planned.offset, planned.size);
    Run run;
    if (planned.partial) {
      run = merged_block(planned, written, header, old_bytes.at(merged++));
    } else {
      run.header = header;
      run.header.kind = planned.kind;
      run.header.blocks = planned.blocks;
      if (planned.kind == RunKind::Data) {
        run.header.last_size = header.layout.block_size;
        run.digests = planned.digests;
        run.data = written;
      }
    }
    // A short last block that needed no merge goes into the run before it: one record instead of two.
    const bool continues = before != nullptr && !before->partial && planned.partial && before->kind == RunKind::Data &&
                           run.header.kind == RunKind::Data && run.data.data() == written.data() &&
                           planned.offset == before->offset + before->size &&
                           before->blocks.at(before->blocks.count) == planned.blocks.first;
    if (continues) {
      Run& longer = runs.back();
      longer.header.blocks.count += 1;
      longer.header.last_size = run.header.last_size;
      longer.digests.push_back(run.digests.front());
      longer.data = plan.data.slice(before->offset, before->size + planned.size);
    } else {
      runs.push_back(std::move(run));
    }
    before = &planned;
  }
  return runs;
}

}  // namespace mendfs::replication
