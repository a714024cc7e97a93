#include "dataserver/replication/incoming.h"

#include <utility>

#include "block/checksum.h"
#include "block/placement.h"

namespace mendfs::replication {

Result<std::vector<Run>> take_runs(const Node& node, Slot range, std::vector<RunSummary> summaries,
                                   const Buffer& data) {
  const std::optional<std::uint32_t> copy = node.copy_of(range);
  if (!copy) return Error{ErrorCode::Refused, "runs of a range that this server does not hold"};
  std::vector<Run> runs;
  runs.reserve(summaries.size());
  std::size_t offset = 0;
  for (RunSummary& summary : summaries) {
    MENDFS_TRY_VOID(check_run(summary.header, summary.digests.size()));
    const Layout& layout = summary.header.layout;
    if (layout.ring != node.store.superblock().ring || layout.slot_count != node.slot_count() ||
        layout.copy_count != node.copy_count() || primary_of(summary.header.blocks.first, layout) != range)
      return Error{ErrorCode::Refused, "runs of another ring or range"};
    const std::uint64_t size = summary.header.data_size();
    if (size > data.size() - offset) return Error{ErrorCode::Malformed, "fewer bytes than the runs name"};
    Run run{std::move(summary.header), std::move(summary.digests), data.slice(offset, size)};
    run.header.copy = *copy;
    offset += size;
    runs.push_back(std::move(run));
  }
  if (offset != data.size()) return Error{ErrorCode::Malformed, "more bytes than the runs name"};
  return runs;
}

Result<void> verify_runs(const std::vector<Run>& runs) {
  for (const Run& run : runs)
    if (run.header.kind == RunKind::Data && !digests_match(run.data, run.header.layout.block_size, run.digests))
      return Error{ErrorCode::Corruption, "the bytes of a run were damaged on their way"};
  return {};
}

Run part_of(const Run& run, std::uint32_t begin, std::uint32_t end) {
  Run part;
  part.header = run.header;
  part.header.blocks = {run.header.blocks.at(begin), run.header.blocks.step, end - begin};
  if (run.header.kind != RunKind::Data) return part;
  const std::uint32_t block_size = run.header.layout.block_size;
  const bool has_last = end == run.header.blocks.count;
  if (!has_last) part.header.last_size = block_size;
  part.digests.assign(run.digests.begin() + begin, run.digests.begin() + end);
  part.data = run.data.slice(std::size_t{begin} * block_size, part.header.data_size());
  return part;
}

}  // namespace mendfs::replication
