#include "tests/sim/world/sim_kv.h"

#include "env/future.h"

namespace mendfs::sim {
namespace {

using namespace std::chrono_literals;

Error damaged() { return Error{ErrorCode::Corruption, "the key-value store is damaged"}; }

template <class Map>
void apply_to(Map& map, const KvBatch& batch) {
  for (const KvBatch::Operation& operation : batch.operations()) {
    if (operation.value) {
      map.insert_or_assign(operation.key, *operation.value);
    } else {
      map.erase(operation.key);
    }
  }
}

/// Makes the first `count` batches since the last checkpoint a part of it.
void settle(KvStore& store, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) apply_to(store.durable, store.since[i]);
  store.since.erase(store.since.begin(), store.since.begin() + static_cast<std::ptrdiff_t>(count));
  store.flushing = 0;
}

class SimKv : public Kv {
 public:
  SimKv(SimLoop& loop, std::shared_ptr<KvStore> store, std::uint64_t seed)
      : loop_(loop), store_(std::move(store)), random_(seed) {}
  ~SimKv() override { store_->open = false; }

  Result<std::optional<std::string>> get(std::string_view key) override {
    if (store_->corrupt) return damaged();
    const auto found = store_->current.find(key);
    if (found == store_->current.end()) return std::optional<std::string>{};
    return std::optional<std::string>{found->second};
  }

  Result<std::optional<std::pair<std::string, std::string>>> floor(std::string_view key,
                                                                   std::string_view least) override {
    using Entry = std::optional<std::pair<std::string, std::string>>;
    if (store_->corrupt) return damaged();
    auto after = store_->current.upper_bound(key);
    if (after == store_->current.begin()) return Entry{};
    --after;
    if (after->first < least) return Entry{};
    return Entry{*after};
  }

  Result<void> scan(std::string_view begin, std::string_view end,
                    const std::function<bool(std::string_view key, std::string_view value)>& visit) override {
    if (store_->corrupt) return damaged();
    for (auto entry = store_->current.lower_bound(begin); entry != store_->current.end(); ++entry) {
      if (!end.empty() && entry->first >= end) break;
      if (!visit(entry->first, entry->second)) break;
    }
    return {};
  }

  Result<void> apply(const KvBatch& batch) override {
    if (store_->corrupt) return damaged();
    apply_to(store_->current, batch);
    for (const KvBatch::Operation& operation : batch.operations())
      store_->unflushed_size += operation.key.size() + (operation.value ? operation.value->size() : 0);
    store_->since.push_back(batch);
    return {};
  }

  Task<Result<void>> checkpoint() override {
    const auto latency = Duration(random_.between(1'000'000, 20'000'000));
    return checkpoint_later(loop_, store_, latency);
  }

  std::size_t unflushed_size() const override { return store_->unflushed_size; }

 private:
  static Task<Result<void>> checkpoint_later(SimLoop& loop, std::shared_ptr<KvStore> store, Duration latency) {
    if (store->corrupt) co_return damaged();
    const std::size_t count = store->since.size();
    store->flushing = count;
    store->unflushed_size = 0;
    co_await sleep_for(loop, latency);
    if (store->corrupt) co_return damaged();
    // Fewer are left if the store was opened anew meanwhile; then there is nobody to answer either.
    settle(*store, std::min(count, store->since.size()));
    co_return Result<void>{};
  }

  SimLoop& loop_;
  std::shared_ptr<KvStore> store_;
  SimRandom random_;
};

}  // namespace

Result<std::unique_ptr<Kv>> SimKvFactory::open(const std::string& name) {
  auto& store = stores_[name];
  if (!store) store = std::make_shared<KvStore>();
  if (store->open) return Error{ErrorCode::Busy, name + " is open already"};
  if (store->corrupt) return damaged();
  settle(*store, random_.below(store->flushing + 1));
  store->since.clear();
  store->unflushed_size = 0;
  store->current = store->durable;
  store->open = true;
  return std::unique_ptr<Kv>(new SimKv(loop_, store, random_.next()));
}

Result<void> SimKvFactory::destroy(const std::string& name) {
  const auto found = stores_.find(name);
  if (found == stores_.end()) return {};
  if (found->second->open) return Error{ErrorCode::Busy, name + " is open"};
  stores_.erase(found);
  return {};
}

void SimKvFactory::corrupt(const std::string& name) {
  if (const auto found = stores_.find(name); found != stores_.end()) found->second->corrupt = true;
}

std::vector<std::string> SimKvFactory::names() const {
  std::vector<std::string> names;
  for (const auto& [name, store] : stores_) names.push_back(name);
  return names;
}

}  // namespace mendfs::sim
