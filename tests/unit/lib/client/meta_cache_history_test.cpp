// The cache against every history that a metaserver may have: changes of one's own and of others, answers that come
// late and in any order, power cuts that take the end of the log, after which the numbers of its entries are given
// again.
#include <sys/stat.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "client/meta_cache.h"
#include "tests/sim/world/random.h"

namespace mendfs::client {
namespace {

constexpr InodeNumber kDirectory = 1;
constexpr std::size_t kPageSize = 3;
const std::vector<std::string> kNames{"a", "b", "c", "d", "e", "f"};

struct State {
  std::map<std::string, InodeNumber> names;       // in kDirectory
  std::map<InodeNumber, std::uint64_t> versions;  // the change number of each inode's attributes
};

struct Entry {
  protocol::Touched touched;
  bool is_ours = false;
  State after;
};

/// The truth: one log, whose end can be lost.
struct Log {
  protocol::Attributes attributes_of(const State& state, InodeNumber inode) const {
    protocol::Attributes attributes;
    attributes.inode = inode;
    attributes.mode = inode == kDirectory ? S_IFDIR | 0755 : S_IFREG | 0644;
    attributes.change = state.versions.at(inode);
    return attributes;
  }
  void change(sim::SimRandom& random, bool is_ours) {
    Entry entry{{}, is_ours, entries.back().after};
    State& state = entry.after;
    const std::string& name = kNames[random.below(kNames.size())];
    const auto there = state.names.find(name);
    if (there != state.names.end() && random.one_in(2)) {
      state.versions[there->second] = next_version++;
      entry.touched.inodes = {attributes_of(state, there->second)};
    } else {
      state.versions[kDirectory] = next_version++;
      InodeNumber made = 0;
      if (there == state.names.end()) {
        made = state.names[name] = next_inode++;
        state.versions[made] = next_version++;
        entry.touched.inodes = {attributes_of(state, made)};
      } else {
        entry.touched.gone = {there->second};
        state.versions.erase(there->second);
        state.names.erase(there);
      }
      entry.touched.inodes.push_back(attributes_of(state, kDirectory));
      entry.touched.names = {{kDirectory, name, made}};
    }
    entries.push_back(std::move(entry));
  }
  std::uint64_t last() const { return entries.size() - 1; }

  std::vector<Entry> entries{{{}, false, {{}, {{kDirectory, 1}}}}};
  std::uint64_t next_version = 2;  // neither these nor inode numbers are ever given again
  InodeNumber next_inode = 2;
};

struct AnswerToGetAttributes {
  protocol::Attributes attributes;
};
struct AnswerToLookup {
  std::string name;
  InodeNumber inode;
};
struct AnswerToListing {
  std::uint64_t cookie;
  protocol::ReadDirectoryReply page;
};
struct AnswerToChange {
  protocol::Touched touched;
};
struct Answer {
  std::variant<AnswerToGetAttributes, AnswerToLookup, AnswerToListing, AnswerToChange> what;
  std::uint64_t as_of;
};

/// A mount: its cache, the kernel above it, and the answers on their way to it.
class Mount {
 public:
  Mount(Log& log, std::uint64_t seed)
      : log_(log),
        random_(seed),
        cache_({[this](InodeNumber inode) { kernel_attributes_.erase(inode); },
                [this](InodeNumber, const std::string& name) { kernel_names_.erase(name); }},
               {.entries = 12, .recent = 8}) {}

  void step() {
    switch (random_.below(8)) {
      case 0:
        return log_.change(random_, false);
      case 1:
        log_.change(random_, true);
        on_their_way_.push_back({AnswerToChange{log_.entries.back().touched}, log_.last()});
        return;
      case 2:
      case 3:
        return ask();
      case 4:
      case 5:
        return take_an_answer();
      case 6:
        return hear();
      default:
        return look();
    }
  }

  /// The metaserver has lost the end of its log. What it answered before is not taken any more (MetaClient).
  void lose_power() {
    log_.entries.resize(log_.entries.size() - random_.below(std::min<std::uint64_t>(log_.entries.size(), 12)));
    on_their_way_.clear();
    cache_.reset();
    is_fed_ = false;
    served_since_power_cut = 0;
  }

  std::uint64_t served_since_power_cut = 0;

 private:
  void ask() {
    const State& now = log_.entries.back().after;
    const std::string& name = kNames[random_.below(kNames.size())];
    const auto there = now.names.find(name);
    Answer answer{AnswerToGetAttributes{log_.attributes_of(now, kDirectory)}, log_.last()};
    const std::uint64_t kind = random_.below(4);
    if (kind == 0 && there != now.names.end()) {
      answer.what = AnswerToGetAttributes{log_.attributes_of(now, there->second)};
    } else if (kind == 1 && there != now.names.end()) {
      answer.what = AnswerToLookup{name, there->second};
    } else if (kind > 1) {
      AnswerToListing listing{random_.one_in(2) ? 0 : random_.below(kNames.size()), {}};
      std::uint64_t next = listing.cookie;
      for (; next < kNames.size() && listing.page.entries.size() < kPageSize; ++next)
        if (const auto entry = now.names.find(kNames[next]); entry != now.names.end())
          listing.page.entries.push_back({kNames[next], next + 1, log_.attributes_of(now, entry->second)});
      listing.page.end = next == kNames.size();
      answer.what = std::move(listing);
    }
    on_their_way_.push_back(std::move(answer));
  }

  void take_an_answer() {
    if (on_their_way_.empty()) return;
    const auto taken = on_their_way_.begin() + static_cast<std::ptrdiff_t>(random_.below(on_their_way_.size()));
    const Answer answer = std::move(*taken);
    on_their_way_.erase(taken);
    if (const auto* attributes = std::get_if<AnswerToGetAttributes>(&answer.what)) {
      cache_.learn(attributes->attributes, answer.as_of);
    } else if (const auto* name = std::get_if<AnswerToLookup>(&answer.what)) {
      cache_.learn_name(kDirectory, name->name, name->inode, answer.as_of);
    } else if (const auto* listing = std::get_if<AnswerToListing>(&answer.what)) {
      cache_.learn_page(kDirectory, listing->cookie, listing->page, answer.as_of);
    } else if (const auto* change = std::get_if<AnswerToChange>(&answer.what)) {
      cache_.changed_here(change->touched, answer.as_of);
      // The kernel asked for it, and knows.
      for (const InodeNumber inode : change->touched.gone) kernel_attributes_.erase(inode);
      for (const protocol::Attributes& touched : change->touched.inodes) kernel_attributes_.erase(touched.inode);
      for (const protocol::NameState& touched : change->touched.names) kernel_names_.erase(touched.name);
    }
  }

  /// An answer of the feed.
  void hear() {
    if (is_fed_) {
      protocol::ChangesRequest::Answer heard;
      heard.up_to = random_.between(heard_, log_.last());
      for (std::uint64_t i = heard_ + 1; i <= heard.up_to; ++i) {
        const Entry& entry = log_.entries[i];
        if (entry.is_ours) continue;
        for (const InodeNumber inode : entry.touched.gone) heard.inodes.push_back(inode);
        for (const protocol::Attributes& touched : entry.touched.inodes) heard.inodes.push_back(touched.inode);
        for (const protocol::NameState& touched : entry.touched.names)
          heard.names.push_back({touched.parent, touched.name, 0});
      }
      cache_.changed_elsewhere(heard);
      heard_ = heard.up_to;
    } else {
      heard_ = log_.last();
    }
    is_fed_ = true;
    cache_.begin(heard_);
  }

  /// What is served, here or by the kernel, was so at some time since what the feed has told.
  void look() {
    const std::string& name = kNames[random_.below(kNames.size())];
    const std::optional<InodeNumber> inode = cache_.find(kDirectory, name);
    if (inode) {
      ++served_since_power_cut;
      check_name(name, *inode);
      if (*inode != 0) {
        if (cache_.keeps_name(kDirectory, name, *inode)) kernel_names_[name] = *inode;
        look_at(*inode);
      }
    }
    look_at(kDirectory);
    for (const auto& [kept, known] : kernel_names_) check_name(kept, known);
    for (const auto& [kept, version] : kernel_attributes_) check_version(kept, version);
  }

  void look_at(InodeNumber inode) {
    const std::optional<protocol::Attributes> attributes = cache_.attributes(inode);
    if (!attributes) return;
    ++served_since_power_cut;
    check_version(inode, attributes->change);
    if (cache_.keeps(*attributes)) kernel_attributes_[inode] = attributes->change;
  }

  /// The earliest state that may be shown: a change of one's own counts once it is answered.
  std::uint64_t earliest() const {
    std::uint64_t index = heard_;
    for (const Answer& answer : on_their_way_)
      if (std::holds_alternative<AnswerToChange>(answer.what)) index = std::min(index, answer.as_of - 1);
    return index;
  }

  void check_name(const std::string& name, InodeNumber served) const {
    std::set<InodeNumber> right;
    for (std::uint64_t i = earliest(); i <= log_.last(); ++i) {
      const auto there = log_.entries[i].after.names.find(name);
      right.insert(there == log_.entries[i].after.names.end() ? 0 : there->second);
    }
    INFO("name " << name << ", entries " << earliest() << " to " << log_.last());
    REQUIRE(is_fed_);
    CHECK(right.count(served) == 1);
  }

  void check_version(InodeNumber inode, std::uint64_t served) const {
    std::set<std::uint64_t> right;
    for (std::uint64_t i = earliest(); i <= log_.last(); ++i) {
      const auto there = log_.entries[i].after.versions.find(inode);
      if (there != log_.entries[i].after.versions.end()) right.insert(there->second);
    }
    INFO("inode " << inode << ", entries " << earliest() << " to " << log_.last());
    REQUIRE(is_fed_);
    CHECK(right.count(served) == 1);
  }

  Log& log_;
  sim::SimRandom random_;
  std::vector<Answer> on_their_way_;
  bool is_fed_ = false;
  std::uint64_t heard_ = 0;
  std::map<InodeNumber, std::uint64_t> kernel_attributes_;
  std::map<std::string, InodeNumber> kernel_names_;
  MetaCache cache_;
};

}  // namespace

TEST_CASE("whatever happened to the log, what is served was so since the feed last spoke", "[meta_cache]") {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    INFO("seed " << seed);
    Log log;
    Mount mount(log, seed);
    for (int life = 0; life < 4; ++life) {
      if (life > 0) mount.lose_power();
      for (int i = 0; i < 300; ++i) mount.step();
      CHECK(mount.served_since_power_cut > 0);
    }
  }
}

}  // namespace mendfs::client
