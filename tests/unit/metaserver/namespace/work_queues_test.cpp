#include "metaserver/namespace/work_queues.h"

#include <catch2/catch.hpp>
#include <map>
#include <set>

#include "metaserver/namespace/state_keys.h"
#include "tests/sim/world/random.h"

namespace mendfs::metaserver {
namespace {

/// Remembers what a scan passed over: what was removed lies there still.
class PassedOver final : public Kv {
 public:
  Result<std::optional<std::string>> get(std::string_view key) override {
    const auto found = entries_.find(key);
    if (found == entries_.end() || !found->second) return std::optional<std::string>();
    return std::optional<std::string>(*found->second);
  }
  Result<std::optional<std::pair<std::string, std::string>>> floor(std::string_view, std::string_view) override {
    return Error{ErrorCode::NotSupported, "not here"};
  }
  Result<void> scan(std::string_view begin, std::string_view end,
                    const std::function<bool(std::string_view, std::string_view)>& visit) override {
    for (auto entry = entries_.lower_bound(begin); entry != entries_.end() && entry->first < end; ++entry) {
      if (!entry->second)
        ++removed_passed;
      else if (!visit(entry->first, *entry->second))
        break;
    }
    return {};
  }
  Result<void> apply(const KvBatch& batch) override {
    for (const KvBatch::Operation& change : batch.operations()) entries_[change.key] = change.value;
    return {};
  }
  Task<Result<void>> checkpoint() override { co_return Result<void>{}; }
  std::size_t unflushed_size() const override { return 0; }

  std::uint64_t removed_passed = 0;

 private:
  std::map<std::string, std::optional<std::string>, std::less<>> entries_;
};

}  // namespace

TEST_CASE("a queue gives what is in it, whatever was added and removed", "[work_queues]") {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    CAPTURE(seed);
    sim::SimRandom random(seed);
    PassedOver kv;
    State state(kv);
    WorkQueues queues;
    std::set<InodeNumber> expected;
    for (int step = 0; step < 300; ++step) {
      const InodeNumber inode = 1 + random.below(40);
      if (random.below(3) == 0) {
        queues.add(state, keys::kOrphanTag, inode);
        expected.insert(inode);
      } else if (random.below(2) == 0) {
        queues.remove(state, keys::kOrphanTag, inode);
        expected.erase(inode);
      } else {
        const InodeNumber after = random.below(3) == 0 ? random.below(42) : 0;
        const std::size_t count_max = 1 + random.below(10);
        std::vector<InodeNumber> wanted(expected.upper_bound(after), expected.end());
        wanted.resize(std::min(wanted.size(), count_max));
        const auto listed = queues.list(state, keys::kOrphanTag, after, count_max);
        REQUIRE(listed.ok());
        REQUIRE(*listed == wanted);
      }
      state.accept();
      if (random.below(4) == 0) REQUIRE(state.commit().ok());
    }
  }
}

TEST_CASE("what has left a queue is passed over once", "[work_queues]") {
  PassedOver kv;
  State state(kv);
  WorkQueues queues;
  const auto list = [&] {
    const auto listed = queues.list(state, keys::kOrphanTag, 0, 100);
    REQUIRE(listed.ok());
    return *listed;
  };
  for (InodeNumber inode = 1; inode <= 1000; ++inode) queues.add(state, keys::kOrphanTag, inode);
  state.accept();
  REQUIRE(state.commit().ok());
  // One stays, with nothing before and behind it.
  for (InodeNumber inode = 1; inode <= 1000; ++inode)
    if (inode != 500) queues.remove(state, keys::kOrphanTag, inode);
  state.accept();
  REQUIRE(state.commit().ok());
  CHECK(list() == std::vector<InodeNumber>{500});
  CHECK(kv.removed_passed == 999);
  CHECK(list() == std::vector<InodeNumber>{500});
  queues.remove(state, keys::kOrphanTag, 500);
  state.accept();
  REQUIRE(state.commit().ok());
  CHECK(list().empty());
  CHECK(list().empty());
  CHECK(kv.removed_passed == 1000);
}

}  // namespace mendfs::metaserver
