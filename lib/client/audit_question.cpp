#include "client/audit_question.h"

#include <algorithm>
#include <utility>

namespace mendfs::client {
namespace {

struct Findings {
  AuditResult result;
  BlockCollector damaged;
  BlockCollector older;
};

/// One block of a run that did not agree as a whole.
void judge(const AuditQuestion& question, const GivenRun& given, std::uint32_t index, const CopyView& other,
           bool is_same, Findings& findings) {
  const BlockRun block{given.blocks.at(index), given.blocks.step, 1};
  switch (audit({given.state, given.version}, other, is_same)) {
    case Audit::Same:
      ++findings.result.agreed;
      break;
    case Audit::NoVerdict:
      break;
    case Audit::Damaged:
      findings.damaged.add(question.slot, block);
      break;
    case Audit::OtherOlder:
      findings.older.add(question.slot, block);
      break;
    case Audit::ServedOlder:
      findings.older.add(given.slot, block);
      break;
  }
}

}  // namespace

std::vector<BlockRun> AuditQuestion::blocks() const {
  std::vector<BlockRun> runs;
  for (const GivenRun& run : given) runs.push_back(run.blocks);
  return runs;
}

std::uint64_t AuditQuestion::block_count() const {
  std::uint64_t count = 0;
  for (const GivenRun& run : given) count += run.blocks.count;
  return count;
}

Result<AuditResult> compare(const AuditQuestion& question, std::span<const protocol::AuditRun> answer) {
  const std::vector<BlockRun> blocks = question.blocks();
  MENDFS_TRY_VOID(check_answer(blocks, answer));
  if (question.given.empty()) return AuditResult();
  Findings findings;
  std::uint32_t done = 0;  // of the blocks of one given run
  for (const protocol::AuditRun& run : answer) {
    const GivenRun& given = question.given[run.part];
    if (run.blocks.first == given.blocks.first) done = 0;
    const bool agrees = run.state == protocol::BlockState::Data && given.state == CopyState::Data &&
                        run.version == given.version &&
                        std::equal(run.sums.begin(), run.sums.end(), given.sums.begin() + done);
    if (agrees) {
      findings.result.agreed += run.blocks.count;
    } else {
      const CopyView other{copy_state_of(run.state), run.version};
      const bool both_data = other.state == CopyState::Data && given.state == CopyState::Data;
      for (std::uint32_t i = 0; i < run.blocks.count; ++i)
        judge(question, given, done + i, other, both_data && run.sums[i] == given.sums[done + i], findings);
    }
    done += run.blocks.count;
  }
  findings.result.damaged = findings.damaged.take();
  findings.result.older = findings.older.take();
  return std::move(findings.result);
}

namespace {

std::size_t value_count(const protocol::ReadRun& run) { return run.digests.size(); }
std::size_t value_count(const protocol::AuditRun& run) { return run.sums.size(); }

template <class AnswerRun>
Result<void> check(std::span<const BlockRun> asked, std::span<const AnswerRun> runs) {
  const Error misfit{ErrorCode::Malformed, "the server's answer does not fit what it was asked"};
  std::size_t part = 0;
  std::uint32_t done = 0;
  for (const AnswerRun& run : runs) {
    if (part == asked.size()) return misfit;
    const BlockRun& want = asked[part];
    if (run.part != part || run.blocks.count == 0 || run.blocks.count > want.count - done) return misfit;
    if (run.blocks.first != want.at(done)) return misfit;
    if (run.blocks.count > 1 && run.blocks.step != want.step) return misfit;
    if (value_count(run) != (run.state == protocol::BlockState::Data ? run.blocks.count : 0)) return misfit;
    done += run.blocks.count;
    if (done == want.count) {
      ++part;
      done = 0;
    }
  }
  if (part != asked.size()) return misfit;
  return {};
}

}  // namespace

Result<void> check_answer(std::span<const BlockRun> asked, std::span<const protocol::ReadRun> runs) {
  return check(asked, runs);
}

Result<void> check_answer(std::span<const BlockRun> asked, std::span<const protocol::AuditRun> runs) {
  return check(asked, runs);
}

CopyState copy_state_of(protocol::BlockState state) {
  switch (state) {
    case protocol::BlockState::Data:
      return CopyState::Data;
    case protocol::BlockState::Absent:
      return CopyState::Absent;
    case protocol::BlockState::Hole:
      return CopyState::Hole;
    case protocol::BlockState::Unknown:
      return CopyState::Unknown;
    case protocol::BlockState::Lost:
      return CopyState::Lost;
    case protocol::BlockState::Bad:
      return CopyState::Bad;
  }
  return CopyState::Unknown;
}

void BlockCollector::add(Slot slot, const BlockRun& blocks) {
  const auto place = std::lower_bound(collected_.begin(), collected_.end(), slot,
                                      [](const SlotBlocks& known, Slot wanted) { return known.slot < wanted; });
  const bool is_known = place != collected_.end() && place->slot == slot;
  std::vector<BlockRun>& runs = is_known ? place->blocks : collected_.insert(place, {slot, {}})->blocks;
  if (!runs.empty() && runs.back().at(runs.back().count) == blocks.first)
    runs.back().count += blocks.count;
  else
    runs.push_back(blocks);
}

std::vector<SlotBlocks> BlockCollector::take() { return std::exchange(collected_, {}); }

}  // namespace mendfs::client
