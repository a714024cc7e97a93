// A command log on a simulated disk, with small segments, and short ways to use it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "metaserver/log/segmented_log.h"
#include "tests/sim/world/world.h"

namespace mendfs::metaserver {

constexpr std::uint64_t kSmallSegment = 1024;

class LogFixture {
 public:
  explicit LogFixture(std::uint64_t seed = 1) : world_(seed), process_(world_.process("metaserver")) {}

  sim::SimWorld& world() { return world_; }
  sim::SimProcess& process() { return process_; }
  sim::SimDisk& disk() { return process_.disk(); }
  SegmentedLog& log() { return *log_; }

  Result<void> open(std::uint64_t segment_size = kSmallSegment) {
    SegmentedLog::World parts{
        .loop = process_.loop(), .disk = disk(), .random = process_.random(), .log = process_.log()};
    SegmentedLog::Options options;
    options.segment_size = segment_size;
    Result<std::unique_ptr<SegmentedLog>> opened = sim::run(world_, SegmentedLog::open(parts, options));
    if (!opened.ok()) return opened.error();
    log_ = std::move(*opened);
    return {};
  }
  Result<void> append(std::vector<std::string> entries) {
    return sim::run(world_, log_->append(log_->accepted() + 1, std::move(entries)));
  }
  Result<void> sync() { return sim::run(world_, log_->sync(log_->accepted())); }
  void kill() {
    log_.reset();
    process_.kill();
    process_.start();
  }
  void cut_power() {
    log_.reset();
    process_.power_cut();
    process_.start();
  }
  /// Everything that can be read, in order.
  std::vector<std::string> entries() {
    std::vector<std::string> all;
    LogIndex next = log_->first();
    while (next <= log_->accepted()) {
      const Result<std::vector<LogEntry>> page = log_->read(next, 64);
      if (!page.ok() || page->empty()) return {"unreadable: " + (page.ok() ? "nothing" : page.error().message)};
      for (const LogEntry& entry : *page) {
        if (entry.index != next) return {"out of order"};
        all.push_back(entry.bytes);
        ++next;
      }
    }
    return all;
  }

 private:
  sim::SimWorld world_;
  sim::SimProcess& process_;
  std::unique_ptr<SegmentedLog> log_;
};

inline std::string text(std::size_t i) { return "entry " + std::to_string(i) + std::string(i % 13, '.'); }
inline std::vector<std::string> texts(std::size_t first, std::size_t count) {
  std::vector<std::string> all;
  for (std::size_t i = first; i < first + count; ++i) all.push_back(text(i));
  return all;
}

}  // namespace mendfs::metaserver
