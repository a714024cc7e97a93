#include "tests/unit/metaserver/namespace/namespace_fixture.h"

namespace mendfs::metaserver {
namespace {

std::vector<std::pair<std::uint64_t, std::uint64_t>> cuts_of(const Attributes& attributes) {
  std::vector<std::pair<std::uint64_t, std::uint64_t>> cuts;
  for (const Cut& cut : attributes.cuts.cuts()) cuts.emplace_back(cut.number, cut.size);
  return cuts;
}
using Cuts = std::vector<std::pair<std::uint64_t, std::uint64_t>>;

TEST_CASE_METHOD(NamespaceFixture, "modes, owners and privileges change as by chmod(2) and chown(2)", "[namespace]") {
  struct Case {
    std::uint32_t before;
    std::optional<std::uint32_t> mode;
    std::optional<std::uint32_t> uid;
    std::optional<std::uint32_t> gid;
    bool clear_suid;
    std::uint32_t after;
  };
  const std::vector<Case> cases = {
      {0644, 07777, {}, {}, false, 07777},
      {0644, S_IFDIR | 0600, {}, {}, false, 0600},  // the type stays
      {06755, {}, 5, {}, false, 0755},
      {06755, {}, {}, 6, false, 0755},
      {06655, {}, 5, {}, false, 02655 & ~02000u},
      {06745, {}, 5, {}, false, 02745},  // no group execute: set-group-id marks mandatory locks
      {06755, 06711, 5, {}, false, 06711},
      {06755, {}, {}, {}, true, 0755},
      {06745, {}, {}, {}, true, 02745},
      {06755, {}, {}, {}, false, 06755},
  };
  int number = 0;
  for (const Case& each : cases) {
    const InodeNumber inode =
        expect_ok(make_request(kRootInode, std::to_string(number++), S_IFREG | each.before)).inode;
    protocol::SetAttributesRequest request;
    request.inode = inode;
    request.mode = each.mode;
    request.uid = each.uid;
    request.gid = each.gid;
    request.clear_suid = each.clear_suid;
    const Attributes after = expect_ok(request);
    INFO(number);
    CHECK(after.mode == (S_IFREG | each.after));
    CHECK(after.uid == each.uid.value_or(1000));
    CHECK(after.gid == each.gid.value_or(100));
    CHECK(after.ctime == now);
    CHECK(after.mtime == now - kSecond);
    CHECK(attributes(inode) == after);
  }
  // A directory keeps its set-group-id bit when its owner changes.
  const InodeNumber shared = expect_ok(make_request(kRootInode, "d", S_IFDIR | 02775)).inode;
  protocol::SetAttributesRequest request;
  request.inode = shared;
  request.uid = 1;
  CHECK(expect_ok(request).mode == (S_IFDIR | 02775));
}

TEST_CASE_METHOD(NamespaceFixture, "times are set to the nanosecond, to now, or left", "[namespace]") {
  const InodeNumber inode = file(kRootInode, "f");
  protocol::SetAttributesRequest request;
  request.inode = inode;
  request.atime = protocol::TimeChange{false, 123'456'789};
  Attributes after = expect_ok(request);
  CHECK(after.atime == 123'456'789);
  CHECK(after.mtime == now - kSecond);
  CHECK(after.ctime == now);
  request.atime.reset();
  request.mtime = protocol::TimeChange{true, 5};
  after = expect_ok(request);
  CHECK(after.atime == 123'456'789);
  CHECK(after.mtime == now);
  request.mtime = protocol::TimeChange{false, -7};  // before 1970
  CHECK(expect_ok(request).mtime == -7);
}

TEST_CASE_METHOD(NamespaceFixture, "every change raises the change number, and a new epoch raises it above all",
                 "[namespace]") {
  const InodeNumber inode = file(kRootInode, "f");
  std::uint64_t before = attributes(inode).change;
  CHECK(before >> kEpochShift == 1);
  expect_ok(link_request(inode, kRootInode, "g"));
  CHECK(attributes(inode).change > before);
  before = attributes(inode).change;
  epoch = 2;
  apply(StartEpoch{});
  expect_ok(set_size(inode, 3));
  CHECK(attributes(inode).change >> kEpochShift == 2);
  CHECK(attributes(inode).change > before);
}

TEST_CASE_METHOD(NamespaceFixture, "only files are truncated, and only below the limit", "[namespace]") {
  const InodeNumber inode = file(kRootInode, "f");
  protocol::MakeRequest pipe = make_request(kRootInode, "p", S_IFIFO);
  CHECK(code(set_size(directory(kRootInode, "d"), 0)) == ErrorCode::IsDirectory);
  CHECK(code(set_size(expect_ok(pipe).inode, 0)) == ErrorCode::InvalidArgument);
  CHECK(code(set_size(inode, kFileSizeMax + 1)) == ErrorCode::FileTooBig);
  CHECK(code(set_size(999, 0)) == ErrorCode::StaleHandle);
  CHECK(attributes(inode).size == 0);
  CHECK(expect_ok(set_size(inode, kFileSizeMax)).size == kFileSizeMax);
}

TEST_CASE_METHOD(NamespaceFixture, "a shrink is a cut, growth is none", "[namespace]") {
  const InodeNumber inode = file(kRootInode, "f");
  CHECK(cuts_of(expect_ok(set_size(inode, 1000))).empty());
  CHECK(attributes(inode).mtime == now);
  CHECK(names->unacknowledged_cuts(0, 10)->empty());
  CHECK(cuts_of(expect_ok(set_size(inode, 100))) == Cuts{{1, 100}});
  CHECK(cuts_of(expect_ok(set_size(inode, 100))) == Cuts{{1, 100}});
  CHECK(cuts_of(expect_ok(set_size(inode, 40))) == Cuts{{2, 40}});
  expect_ok(set_size(inode, 90));
  CHECK(cuts_of(expect_ok(set_size(inode, 70))) == Cuts{{2, 40}, {3, 70}});
  REQUIRE(names->unacknowledged_cuts(0, 10)->size() == 1);
  CHECK(names->unacknowledged_cuts(0, 10)->front().inode == inode);
  CHECK(names->unacknowledged_cuts(0, 10)->front().cuts == attributes(inode).cuts);
}

TEST_CASE_METHOD(NamespaceFixture, "a truncation of a file that is being written always cuts", "[namespace]") {
  const InodeNumber inode = file(kRootInode, "f");
  expect_ok(open_for_write(inode), kOtherSession);
  // The other mount may have written a megabyte that it has not told of yet.
  CHECK(cuts_of(expect_ok(set_size(inode, 0))) == Cuts{{1, 0}});
  CHECK(code(settle_size(inode, 0, 1 << 20), kOtherSession) == ErrorCode::Stale);
  CHECK(attributes(inode).size == 0);
  // So may have a dead one.
  expect_ok(settle_size(inode, 1, 10), kOtherSession);
  CHECK(apply(LapseSession{kOtherSession}).code == ErrorCode::Ok);
  CHECK(cuts_of(expect_ok(set_size(inode, 20))) == Cuts{{1, 0}, {2, 20}});
}

TEST_CASE_METHOD(NamespaceFixture, "acknowledged cuts leave the newest", "[namespace]") {
  const InodeNumber inode = file(kRootInode, "f");
  expect_ok(set_size(inode, 1000));
  for (const std::uint64_t size : {10, 20, 30}) {
    expect_ok(set_size(inode, 500));
    expect_ok(set_size(inode, size));
  }
  const Cuts all = {{2, 10}, {3, 20}, {4, 30}};
  REQUIRE(cuts_of(attributes(inode)) == all);
  CHECK(apply(AcknowledgeCuts{inode, 5}).code == ErrorCode::InvalidArgument);
  CHECK(apply(AcknowledgeCuts{inode, 1}).code == ErrorCode::Ok);
  CHECK(cuts_of(attributes(inode)) == all);
  CHECK(apply(AcknowledgeCuts{inode, 3}).code == ErrorCode::Ok);
  CHECK(cuts_of(attributes(inode)) == Cuts{{3, 20}, {4, 30}});
  CHECK(names->unacknowledged_cuts(0, 10)->size() == 1);
  CHECK(apply(AcknowledgeCuts{inode, 4}).code == ErrorCode::Ok);
  CHECK(cuts_of(attributes(inode)) == Cuts{{4, 30}});
  CHECK(names->unacknowledged_cuts(0, 10)->empty());
  CHECK(apply(AcknowledgeCuts{999, 4}).code == ErrorCode::StaleHandle);
}

TEST_CASE_METHOD(NamespaceFixture, "cuts that nobody takes are bounded, and asking again helps once they are taken",
                 "[namespace]") {
  const InodeNumber inode = file(kRootInode, "f");
  for (std::uint64_t size = 1; size <= kCutCountMax; ++size) {
    expect_ok(set_size(inode, 100000));
    expect_ok(set_size(inode, size));
  }
  expect_ok(set_size(inode, 100000));
  protocol::SetAttributesRequest request = set_size(inode, kCutCountMax + 1);
  request.call = {kSession, ++sequence, sequence};
  CHECK(apply(request).code == ErrorCode::Unavailable);
  CHECK(attributes(inode).size == 100000);
  CHECK(apply(AcknowledgeCuts{inode, attributes(inode).cuts.number()}).code == ErrorCode::Ok);
  CHECK(apply(request).code == ErrorCode::Ok);
}

TEST_CASE_METHOD(NamespaceFixture, "a settled size is a maximum under its cut", "[namespace]") {
  const InodeNumber inode = file(kRootInode, "f");
  CHECK(expect_ok(settle_size(inode, 0, 100)).size == 100);
  CHECK(expect_ok(settle_size(inode, 0, 60)).size == 100);
  CHECK(attributes(inode).ctime == now - kSecond);
  expect_ok(set_size(inode, 50));
  CHECK(code(settle_size(inode, 0, 200)) == ErrorCode::Stale);
  CHECK(code(settle_size(inode, 2, 200)) == ErrorCode::Stale);
  CHECK(expect_ok(settle_size(inode, 1, 200)).size == 200);
  CHECK(code(settle_size(inode, 1, kFileSizeMax + 1)) == ErrorCode::FileTooBig);
  CHECK(code(settle_size(directory(kRootInode, "d"), 0, 1)) == ErrorCode::InvalidArgument);

  protocol::SettleRequest times;
  times.inode = inode;
  times.mtime = 111;
  times.atime = 222;
  const Attributes after = expect_ok(times);
  CHECK(after.mtime == 111);
  CHECK(after.atime == 222);
  CHECK(after.ctime == now);
  times.mtime.reset();
  times.atime = 333;
  const Attributes read_only = expect_ok(times);
  CHECK(read_only.atime == 333);
  CHECK(read_only.ctime == now - kSecond);
}

TEST_CASE_METHOD(NamespaceFixture, "a writer's report sets mode and owner as a change of attributes does",
                 "[namespace]") {
  const InodeNumber inode = file(kRootInode, "f");
  protocol::SettleRequest report = settle_size(inode, 0, 100);
  report.mode = S_IFDIR | 06755;
  Attributes after = expect_ok(report);
  CHECK(after.mode == (S_IFREG | 06755));
  CHECK(after.size == 100);
  report = {};
  report.inode = inode;
  report.uid = 7;
  report.gid = 8;
  after = expect_ok(report);
  CHECK(after.uid == 7);
  CHECK(after.gid == 8);
  CHECK(after.mode == (S_IFREG | 0755));
  CHECK(after.ctime == now);
  // A refused report sets nothing.
  report.size = 200;
  report.cut = 3;
  report.uid = 9;
  CHECK(code(report) == ErrorCode::Stale);
  CHECK(attributes(inode).uid == 7);
}

TEST_CASE_METHOD(NamespaceFixture, "what a writer gave up is cut off, unless somebody may count on it", "[namespace]") {
  const InodeNumber inode = file(kRootInode, "f");
  const auto abandon = [&](std::uint64_t size) {
    protocol::AbandonRequest request;
    request.inode = inode;
    request.size = size;
    return request;
  };
  expect_ok(open_for_write(inode));
  expect_ok(settle_size(inode, 0, 100));
  Attributes after = expect_ok(abandon(500));
  CHECK(after.size == 100);
  CHECK(cuts_of(after) == Cuts{{1, 500}});
  CHECK(after.ctime == now);
  CHECK(after.mtime != now);
  // Never below the bytes that others know of.
  CHECK(cuts_of(expect_ok(abandon(40))) == Cuts{{2, 100}});
  CHECK(code(settle_size(inode, 1, 600)) == ErrorCode::Stale);
  REQUIRE(names->unacknowledged_cuts(0, 10)->size() == 1);
  // Another mount may have delivered what it has not told of.
  expect_ok(open_for_write(inode), kOtherSession);
  CHECK(cuts_of(expect_ok(abandon(100))) == Cuts{{2, 100}});
  CHECK(apply(LapseSession{kOtherSession}).code == ErrorCode::Ok);
  CHECK(cuts_of(expect_ok(abandon(100))) == Cuts{{2, 100}});
  CHECK(code(abandon(kFileSizeMax + 1)) == ErrorCode::FileTooBig);
  protocol::AbandonRequest wrong = abandon(0);
  wrong.inode = directory(kRootInode, "d");
  CHECK(code(wrong) == ErrorCode::InvalidArgument);
}

TEST_CASE_METHOD(NamespaceFixture, "write marks come with create and open and go with close", "[namespace]") {
  protocol::MakeRequest request = make_request(kRootInode, "f", S_IFREG);
  request.open_for_write = true;
  const InodeNumber inode = expect_ok(request).inode;
  CHECK(*names->writers(inode) == std::vector<SessionId>{kSession});
  expect_ok(open_for_write(inode), kOtherSession);
  expect_ok(open_for_write(inode), kOtherSession);
  CHECK(*names->writers(inode) == std::vector<SessionId>{kSession, kOtherSession});
  protocol::SettleRequest close;
  close.inode = inode;
  close.close_write = true;
  expect_ok(close);
  CHECK(*names->writers(inode) == std::vector<SessionId>{kOtherSession});
  close.size = 10;
  close.cut = 5;
  CHECK(code(close, kOtherSession) == ErrorCode::Stale);
  CHECK(names->writers(inode)->size() == 1);
  close.cut = 0;
  expect_ok(close, kOtherSession);
  CHECK(names->writers(inode)->empty());
  CHECK(code(open_for_write(kRootInode)) == ErrorCode::IsDirectory);
  CHECK(code(open_for_write(999)) == ErrorCode::StaleHandle);
}

TEST_CASE_METHOD(NamespaceFixture, "marks of many files go at once, those of other sessions stay", "[namespace]") {
  const InodeNumber gone = file(kRootInode, "gone");
  const InodeNumber mine = file(kRootInode, "mine");
  const InodeNumber shared = file(kRootInode, "shared");
  for (const InodeNumber inode : {gone, mine, shared}) expect_ok(open_for_write(inode));
  expect_ok(open_for_write(shared), kOtherSession);
  change(remove_request(kRootInode, "gone", false));
  apply(DeleteInode{gone});
  const Attributes before = attributes(mine);
  protocol::UnmarkRequest request;
  request.inodes = {gone, mine, shared, 999};
  const Outcome unmarked = change(request);
  CHECK(unmarked.code == ErrorCode::Ok);
  CHECK(names->writers(mine)->empty());
  CHECK(*names->writers(shared) == std::vector<SessionId>{kOtherSession});
  // Nothing that anybody could have cached.
  CHECK(attributes(mine) == before);
  CHECK(unmarked.touched.inodes.empty());
  request.inodes.assign(protocol::kUnmarkCountMax + 1, shared);
  CHECK(code(request, kOtherSession) == ErrorCode::Malformed);
  CHECK(names->writers(shared)->size() == 1);
}

}  // namespace
}  // namespace mendfs::metaserver
