#include "tests/sim/name_worker.h"

#include <fmt/core.h>

#include "env/future.h"

namespace mendfs::sim {
namespace {

using namespace std::chrono_literals;

constexpr const char* kRootName = "names";
constexpr auto kPauseMax = 60ms;

}  // namespace

std::set<InodeNumber> NameLedger::nodes() const {
  std::set<InodeNumber> nodes;
  if (history)
    for (const auto& [inode, node] : history->newest().nodes()) nodes.insert(inode);
  return nodes;
}

NameWorker::NameWorker(Env& env, client::Filesystem& filesystem, Journal& journal, NameLedger& ledger,
                       std::uint64_t seed)
    : loop_(env.loop), log_(env.log), filesystem_(filesystem), journal_(journal), ledger_(ledger), random_(seed) {}

void NameWorker::begin(std::string what) {
  doing_ = std::move(what);
  log_.debug("names: {}", doing_);
}

Task<void> NameWorker::run() {
  begin("waiting for the fence of " + ledger_.dead_client);
  while (!ledger_.dead_client.empty() && !journal_.is_recovered(ledger_.dead_client, ledger_.died))
    co_await sleep_for(loop_, 200ms);
  bool good = co_await make_root();
  std::optional<NameHistory::UnderWay> unknown;
  if (ledger_.under_way) unknown = NameHistory::UnderWay{*ledger_.under_way, std::nullopt, 0};
  if (good) good = co_await look_until_quiet(std::move(unknown));
  ledger_.under_way.reset();
  for (; good && ledger_.operations_left > 0 && journal_.failure.empty(); --ledger_.operations_left) {
    good = co_await step();
    // Several within the time that un-synced changes have, now and then a longer pause.
    const auto pause_max = random_.one_in(8) ? kPauseMax * 20 : kPauseMax;
    co_await sleep_for(loop_, Duration(random_.below(static_cast<std::uint64_t>(Duration(pause_max).count()) + 1)));
  }
  if (good) good = co_await look();
  begin("done");
}

/// Until it is there for good.
Task<bool> NameWorker::make_root() {
  begin("making its directory");
  while (!ledger_.history) {
    protocol::MakeRequest request;
    request.parent = kRootInode;
    request.name = kRootName;
    request.mode = 0040755;
    (void)co_await filesystem_.make(std::move(request));
    const Result<void> synced = co_await filesystem_.sync_directory(kRootInode);
    const Result<protocol::Attributes> found = co_await filesystem_.lookup(kRootInode, kRootName);
    if (synced.ok() && found.ok()) ledger_.history.emplace(found->inode);
  }
  co_return true;
}

Task<bool> NameWorker::step() {
  if (ledger_.history->has_lost_power()) {
    bool good = true;
    // It must not say that changes are durable which are gone.
    if (random_.one_in(2)) good = co_await sync();
    if (good) good = co_await look();
    if (!good) co_return false;
  }
  switch (random_.below(12)) {
    case 0:
      co_return co_await sync();
    case 1:
      co_return co_await look();
    default:
      break;
  }
  NameChange drawn = draw_change();
  co_return co_await change(std::move(drawn));
}

Task<bool> NameWorker::change(NameChange change) {
  begin(sim::describe(change));
  NameHistory& history = *ledger_.history;
  const ErrorCode expected = history.expect(change);
  const std::uint64_t losses = history.losses();
  ledger_.under_way = change;
  const Made made = co_await ask(change);
  ledger_.under_way.reset();
  ++ledger_.changes;
  if (made.inode != 0 && !ledger_.numbers.insert(made.inode).second) {
    journal_.fail(fmt::format("{} got the inode number {:x} a second time", doing_, made.inode));
    co_return false;
  }
  if (history.losses() != losses) {
    NameHistory::UnderWay answered{std::move(change), made.code, made.inode};
    // With -o dirsync: it was lost before it could be synced.
    if (made.code == ErrorCode::Io) answered.answer.reset();
    co_return co_await look_until_quiet(std::move(answered));
  }
  if (made.code != expected) {
    journal_.fail(
        fmt::format("{} answered {} ({}), not {}", doing_, to_string(made.code), made.message, to_string(expected)));
    co_return false;
  }
  history.changed(change, made.inode, loop_.now());
  if (ledger_.dirsync) history.make_durable();
  co_return true;
}

Task<bool> NameWorker::sync() {
  begin("syncing");
  NameHistory& history = *ledger_.history;
  const std::uint64_t losses = history.losses();
  Result<void> synced;
  // That of one directory says nothing of what was lost in another.
  const bool is_of_all = history.has_lost_power() || random_.one_in(2);
  if (is_of_all)
    synced = co_await filesystem_.sync_all();
  else
    synced = co_await filesystem_.sync_directory(history.newest().root());
  if (history.losses() != losses) co_return true;
  std::uint64_t& reported = is_of_all ? losses_reported_ : losses_reported_of_root_;
  if (synced.code() == ErrorCode::Io && reported < losses) {
    if (!history.has_lost_power()) losses_reported_of_root_ = losses;
    if (!history.has_lost_power() && is_of_all) losses_reported_ = losses;
    co_return true;
  }
  if (!synced.ok()) journal_.fail("the sync of a directory failed: " + synced.error().message);
  history.make_durable();
  co_return synced.ok();
}

Task<bool> NameWorker::look() { return look_until_quiet(std::nullopt); }

/// Compares the tree with what it may be. A power cut meanwhile: once more.
Task<bool> NameWorker::look_until_quiet(std::optional<NameHistory::UnderWay> under_way) {
  NameHistory& history = *ledger_.history;
  const std::uint64_t losses_when_answered = history.losses();
  for (;;) {
    begin("looking");
    const std::uint64_t losses = history.losses();
    Result<NameModel> tree = co_await read_tree(history.newest().root());
    if (history.losses() != losses) continue;
    // What was answered after one power cut may be lost in the next.
    if (under_way && losses != losses_when_answered) under_way->answer.reset();
    std::optional<std::string> wrong;
    if (tree.ok()) wrong = history.found(*tree, under_way, loop_.now());
    if (!tree.ok()) wrong = "it cannot be read: " + tree.error().message;
    if (wrong) journal_.fail("names: " + *wrong);
    co_return !wrong;
  }
}

Task<Result<NameModel>> NameWorker::read_tree(InodeNumber root) {
  NameModel tree(root);
  std::vector<InodeNumber> open{root};
  while (!open.empty()) {
    const InodeNumber directory = open.back();
    open.pop_back();
    std::uint64_t cookie = 0;
    for (;;) {
      MENDFS_CO_TRY(
          const protocol::ReadDirectoryReply page,
          co_await filesystem_.read_directory(directory, cookie, static_cast<std::uint32_t>(random_.between(2, 9))));
      if (page.entries.empty()) break;
      for (const protocol::Dentry& entry : page.entries) {
        const bool is_directory = (entry.attributes.mode & 0170000) == 0040000;
        tree.add(directory, entry.name, entry.attributes.inode, is_directory);
        if (is_directory) open.push_back(entry.attributes.inode);
      }
      cookie = page.entries.back().cookie;
    }
  }
  co_return tree;
}

Task<NameWorker::Made> NameWorker::ask(NameChange change) {
  using Kind = NameChange::Kind;
  if (change.kind == Kind::MakeFile || change.kind == Kind::MakeDirectory)
    co_return co_await ask_to_make(std::move(change));
  Result<void> answer;
  if (change.kind == Kind::Link) {
    protocol::LinkRequest request;
    request.inode = change.source;
    request.parent = change.parent;
    request.name = change.name;
    const Result<protocol::Attributes> linked = co_await filesystem_.link(std::move(request));
    if (!linked.ok()) answer = linked.error();
  } else if (change.kind == Kind::Unlink || change.kind == Kind::RemoveDirectory) {
    protocol::RemoveRequest request;
    request.parent = change.parent;
    request.name = change.name;
    request.directory = change.kind == Kind::RemoveDirectory;
    answer = co_await filesystem_.remove(std::move(request));
  } else {
    protocol::RenameRequest request;
    request.parent = change.parent;
    request.name = change.name;
    request.new_parent = change.new_parent;
    request.new_name = change.new_name;
    request.exchange = change.kind == Kind::Exchange;
    answer = co_await filesystem_.rename(std::move(request));
  }
  co_return Made{answer.code(), answer.ok() ? "" : answer.error().message, 0};
}

Task<NameWorker::Made> NameWorker::ask_to_make(NameChange change) {
  protocol::MakeRequest request;
  request.parent = change.parent;
  request.name = change.name;
  request.mode = change.kind == NameChange::Kind::MakeDirectory ? 0040755 : 0100644;
  const Result<protocol::Attributes> made = co_await filesystem_.make(std::move(request));
  if (!made.ok()) co_return Made{made.code(), made.error().message, 0};
  co_return Made{ErrorCode::Ok, "", made->inode};
}

/// The root, if there is nothing else of that kind.
InodeNumber NameWorker::draw_node(bool directory) {
  const NameModel& names = ledger_.history->newest();
  std::vector<InodeNumber> nodes;
  for (const auto& [inode, node] : names.nodes())
    if (node.directory == directory) nodes.push_back(inode);
  return nodes.empty() ? names.root() : nodes[random_.below(nodes.size())];
}

/// Few names, so that they meet; half of the time one that is there.
NameChange NameWorker::draw_change() {
  using Kind = NameChange::Kind;
  constexpr Kind kKinds[] = {Kind::MakeFile, Kind::MakeFile,        Kind::MakeFile, Kind::MakeDirectory,
                             Kind::Link,     Kind::Unlink,          Kind::Rename,   Kind::Rename,
                             Kind::Rename,   Kind::RemoveDirectory, Kind::Exchange};
  NameChange change;
  change.kind = kKinds[random_.below(std::size(kKinds))];
  change.parent = draw_node(true);
  change.new_parent = draw_node(true);
  const auto draw_name = [this](InodeNumber parent) {
    const auto& children = ledger_.history->newest().nodes().at(parent).children;
    if (children.empty() || random_.one_in(2)) return fmt::format("n{}", random_.below(6));
    return std::next(children.begin(), static_cast<std::ptrdiff_t>(random_.below(children.size())))->first;
  };
  change.name = draw_name(change.parent);
  change.new_name = draw_name(change.new_parent);
  change.source = draw_node(false);
  if (change.kind == Kind::Link && change.source == ledger_.history->newest().root()) change.kind = Kind::MakeFile;
  return change;
}

}  // namespace mendfs::sim
