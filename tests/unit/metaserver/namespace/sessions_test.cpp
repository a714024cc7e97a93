#include "tests/unit/metaserver/namespace/namespace_fixture.h"

namespace mendfs::metaserver {
namespace {

TEST_CASE_METHOD(NamespaceFixture, "a change that comes again is answered and not applied again", "[namespace]") {
  protocol::MakeRequest request = make_request(kRootInode, "f", S_IFREG);
  request.call = {kSession, 5, 5};
  const Outcome first = apply(request);
  CHECK(first.code == ErrorCode::Ok);
  CHECK(first.index == names->applied_index());
  const Outcome again = apply(request);
  CHECK(again.code == ErrorCode::Ok);
  CHECK(again.body == first.body);
  CHECK(again.index == first.index);
  CHECK(names->remembered(request.call)->value().body == first.body);
  reopen();
  CHECK(apply(request).body == first.body);
  CHECK(*names->inode_count() == 2);

  // A refusal is remembered too, even if it would succeed now.
  protocol::MakeRequest refused = make_request(kRootInode, "f", S_IFREG);
  refused.call = {kSession, 6, 6};
  CHECK(apply(refused).code == ErrorCode::Exists);
  sequence = 6;
  expect_ok(remove_request(kRootInode, "f", false), kOtherSession);
  const Outcome still = apply(refused);
  CHECK(still.code == ErrorCode::Exists);
  CHECK(still.index == 0);
}

TEST_CASE_METHOD(NamespaceFixture, "the same sequence in two sessions is two changes", "[namespace]") {
  protocol::MakeRequest request = make_request(kRootInode, "a", S_IFREG);
  request.call = {kSession, 9, 9};
  CHECK(apply(request).code == ErrorCode::Ok);
  request.call.session = kOtherSession;
  request.name = "b";
  CHECK_FALSE(names->remembered(request.call)->has_value());
  CHECK(apply(request).code == ErrorCode::Ok);
  CHECK(inode_of(kRootInode, "b") != 0);
}

TEST_CASE_METHOD(NamespaceFixture, "what was answered is forgotten and never applied late", "[namespace]") {
  protocol::MakeRequest request = make_request(kRootInode, "f", S_IFREG);
  request.call = {kSession, 10, 8};
  CHECK(apply(request).code == ErrorCode::Ok);
  // 8 and 9 are still under way and may come after 10.
  request.call = {kSession, 8, 8};
  request.name = "g";
  CHECK(apply(request).code == ErrorCode::Ok);
  request.call = {kSession, 11, 10};
  request.name = "h";
  CHECK(apply(request).code == ErrorCode::Ok);
  request.call = {kSession, 9, 8};
  request.name = "late";
  CHECK(apply(request).code == ErrorCode::Refused);
  CHECK(names->remembered({kSession, 8, 8}).code() == ErrorCode::Refused);
  CHECK(inode_of(kRootInode, "late") == 0);
  CHECK(names->remembered({kSession, 10, 10})->has_value());
}

TEST_CASE_METHOD(NamespaceFixture, "a change that came before a restart is known after it, among many others",
                 "[namespace]") {
  std::vector<protocol::MakeRequest> requests;
  for (std::uint64_t i = 0; i < kRepliesPerSession + 100; ++i) {
    requests.push_back(make_request(kRootInode, "f" + std::to_string(i), S_IFREG));
    requests.back().call = {kSession, i + 1, i < 100 ? i + 1 : 101};
    CHECK_FALSE(names->remembered(requests.back().call)->has_value());
    CHECK(apply(requests.back()).code == ErrorCode::Ok);
    CHECK(names->remembered(requests.back().call)->has_value());
  }
  reopen();
  const std::uint64_t before = *names->inode_count();
  for (std::size_t i = 100; i < requests.size(); ++i) CHECK(apply(requests[i]).repeated);
  CHECK(*names->inode_count() == before);
}

TEST_CASE_METHOD(NamespaceFixture, "senseless sequences are malformed and change nothing", "[namespace]") {
  for (const protocol::CallHeader& call :
       {protocol::CallHeader{kSession, 0, 0}, protocol::CallHeader{kSession, 5, 6},
        protocol::CallHeader{kSession, kRepliesPerSession, 0}, protocol::CallHeader{kSession, UINT64_MAX, 0}}) {
    protocol::MakeRequest request = make_request(kRootInode, "f", S_IFREG);
    request.call = call;
    CHECK(apply(request).code == ErrorCode::Malformed);
  }
  CHECK(inode_of(kRootInode, "f") == 0);
  protocol::MakeRequest request = make_request(kRootInode, "f", S_IFREG);
  request.call = {kSession, UINT64_MAX, UINT64_MAX};
  CHECK(apply(request).code == ErrorCode::Ok);
}

TEST_CASE_METHOD(NamespaceFixture, "a session's replies take a bounded number of places", "[namespace]") {
  commit_each = false;
  for (std::uint64_t i = 0; i < 3 * kRepliesPerSession; ++i) (void)code(remove_request(kRootInode, "x", false));
  REQUIRE(names->commit().ok());
  const std::string prefix = keys::replies(kSession);
  std::uint64_t replies = 0;
  for (const auto& [key, value] : all_keys()) replies += key.starts_with(prefix);
  CHECK(replies == kRepliesPerSession);
  CHECK(names->remembered({kSession, sequence, sequence})->has_value());
  // Within the window every one is there.
  for (std::uint64_t i = 1; i < kRepliesPerSession; ++i) {
    protocol::RemoveRequest request = remove_request(kRootInode, "x", false);
    request.call = {kSession, sequence + i, sequence + 1};
    (void)apply(request);
  }
  for (std::uint64_t i = 1; i < kRepliesPerSession; ++i)
    CHECK(names->remembered({kSession, sequence + i, sequence + 1})->has_value());
}

TEST_CASE_METHOD(NamespaceFixture, "unknown, closed and fenced sessions change nothing", "[namespace]") {
  CHECK(code(make_request(kRootInode, "a", S_IFREG), SessionId{5, 5}) == ErrorCode::Refused);
  CHECK_FALSE(*names->is_open({5, 5}));
  CHECK(*names->is_open(kSession));
  CHECK(apply(OpenSession{kSession, "again"}).code == ErrorCode::Ok);
  CHECK(names->open_sessions()->size() == 2);
  CHECK(names->open_sessions()->front().client_name == "test");

  CHECK(apply(CloseSession{kOtherSession}).code == ErrorCode::Ok);
  CHECK(apply(CloseSession{kOtherSession}).code == ErrorCode::Ok);
  CHECK(code(make_request(kRootInode, "a", S_IFREG), kOtherSession) == ErrorCode::Refused);
  CHECK(apply(LapseSession{kOtherSession}).code == ErrorCode::Refused);

  const Outcome lapsed = apply(LapseSession{kSession});
  CHECK(lapsed.code == ErrorCode::Ok);
  CHECK(unpack<FenceReply>(lapsed.body)->number == 1);
  CHECK(unpack<FenceReply>(apply(LapseSession{kSession}).body)->number == 1);
  CHECK(code(make_request(kRootInode, "a", S_IFREG)) == ErrorCode::Refused);
  CHECK(apply(OpenSession{kSession, "back"}).code == ErrorCode::Refused);
  CHECK(apply(CloseSession{kSession}).code == ErrorCode::Refused);
  CHECK(names->open_sessions()->empty());
  CHECK(inode_of(kRootInode, "a") == 0);

  REQUIRE(names->fences_above(0)->size() == 1);
  CHECK(names->fences_above(0)->front().session == kSession);
  CHECK(names->fences_above(1)->empty());
  CHECK(names->fences_above(UINT64_MAX)->empty());
}

TEST_CASE_METHOD(NamespaceFixture, "the session after a lapsed one gets the replies that the client has not",
                 "[namespace]") {
  const auto under = [](SessionId session, std::uint64_t number, std::uint64_t answered_below, auto request) {
    request.call = {session, number, answered_below};
    return request;
  };
  const SessionId lost{7, 1};
  const SessionId unheard{7, 2};
  const SessionId next{7, 3};
  apply(OpenSession{lost, "x"});
  REQUIRE(apply(under(lost, 1, 1, make_request(kRootInode, "heard", S_IFREG))).code == ErrorCode::Ok);
  const Outcome made = apply(under(lost, 2, 2, make_request(kRootInode, "a", S_IFREG)));
  REQUIRE(made.code == ErrorCode::Ok);
  apply(LapseSession{lost});
  // One that the client never heard of lapses in between.
  apply(OpenSession{unheard, "x", lost});
  apply(LapseSession{unheard});
  apply(OpenSession{next, "x", lost});
  CHECK(apply(under(next, 1, 1, make_request(kRootInode, "heard", S_IFREG))).code == ErrorCode::Refused);
  const Outcome again = apply(under(next, 2, 2, make_request(kRootInode, "a", S_IFREG)));
  CHECK(again.code == ErrorCode::Ok);
  CHECK(again.index == made.index);
  CHECK(again.body == made.body);
  // What never arrived under the first is done now, once.
  CHECK(apply(under(next, 3, 2, make_request(kRootInode, "b", S_IFREG))).code == ErrorCode::Ok);
  // A session that is open, or unknown, leaves nothing to anybody.
  const SessionId stranger{8, 8};
  apply(OpenSession{stranger, "y", next});
  CHECK(apply(under(stranger, 2, 2, make_request(kRootInode, "a", S_IFREG))).code == ErrorCode::Exists);
}

TEST_CASE_METHOD(NamespaceFixture, "what a session leaves is its fence and nothing else", "[namespace]") {
  const auto before = all_keys();
  const SessionId passing{3, 3};
  apply(OpenSession{passing, "passing"});
  (void)code(remove_request(kRootInode, "x", false), passing);
  apply(CloseSession{passing});
  CHECK(all_keys().size() == before.size());
}

TEST_CASE_METHOD(NamespaceFixture, "fences and open sessions are bounded", "[namespace]") {
  commit_each = false;
  for (std::uint64_t i = 0; i < kFenceCountMax + 3; ++i) {
    apply(OpenSession{{4, i}, "x"});
    (void)code(remove_request(kRootInode, "x", false), {4, i});
    apply(LapseSession{{4, i}});
  }
  for (const auto& [key, value] : all_keys()) CHECK_FALSE(key.starts_with(keys::replies({4, 0})));
  const auto fences = *names->fences_above(0);
  CHECK(fences.size() == kFenceCountMax);
  CHECK(fences.front().number == 4);
  CHECK(fences.back().number == kFenceCountMax + 3);
  for (std::uint64_t i = 2; i < kSessionCountMax; ++i) REQUIRE(apply(OpenSession{{5, i}, "x"}).code == ErrorCode::Ok);
  CHECK(apply(OpenSession{{6, 1}, "x"}).code == ErrorCode::Unavailable);
  apply(CloseSession{{5, 2}});
  CHECK(apply(OpenSession{{6, 1}, "x"}).code == ErrorCode::Ok);
}

TEST_CASE_METHOD(NamespaceFixture, "sessions have an id and a name of some length", "[namespace]") {
  CHECK(apply(OpenSession{{0, 0}, "x"}).code == ErrorCode::Malformed);
  CHECK(apply(OpenSession{{9, 9}, std::string(1025, 'x')}).code == ErrorCode::Malformed);
}

TEST_CASE_METHOD(NamespaceFixture, "a dead writer's files queue for their sizes", "[namespace]") {
  const InodeNumber inode = file(kRootInode, "f");
  const InodeNumber untouched = file(kRootInode, "g");
  expect_ok(open_for_write(inode), kOtherSession);
  expect_ok(open_for_write(untouched));
  CHECK(names->recoveries(0, 10)->empty());
  apply(LapseSession{kOtherSession});
  CHECK(names->writers(inode)->empty());
  REQUIRE(names->recoveries(0, 10)->size() == 1);
  PendingRecovery pending = names->recoveries(0, 10)->front();
  CHECK(pending.file.inode == inode);
  CHECK(pending.fence == 1);

  expect_ok(settle_size(inode, 0, 100));
  CHECK(apply(RecoverSize{inode, 1, 1, 500}).code == ErrorCode::Stale);
  CHECK(apply(RecoverSize{inode, 0, 1, kFileSizeMax + 1}).code == ErrorCode::FileTooBig);
  CHECK(apply(RecoverSize{inode, 0, 1, 50}).code == ErrorCode::Ok);
  CHECK(attributes(inode).size == 100);
  CHECK(names->recoveries(0, 10)->empty());
  CHECK(apply(RecoverSize{inode, 0, 1, 5000}).code == ErrorCode::Ok);
  CHECK(attributes(inode).size == 100);
}

TEST_CASE_METHOD(NamespaceFixture, "a recovery that did not wait for the last fence is not the last", "[namespace]") {
  const InodeNumber inode = file(kRootInode, "f");
  expect_ok(open_for_write(inode), kOtherSession);
  expect_ok(open_for_write(inode));
  apply(LapseSession{kOtherSession});
  apply(LapseSession{kSession});
  CHECK(names->recoveries(0, 10)->front().fence == 2);
  CHECK(apply(RecoverSize{inode, 0, 1, 70}).code == ErrorCode::Ok);
  CHECK(attributes(inode).size == 70);
  CHECK(attributes(inode).mtime == now);
  CHECK(names->recoveries(0, 10)->size() == 1);
  CHECK(apply(RecoverSize{inode, 0, 2, 90}).code == ErrorCode::Ok);
  CHECK(attributes(inode).size == 90);
  CHECK(names->recoveries(0, 10)->empty());
}

TEST_CASE_METHOD(NamespaceFixture, "a mark left at a clean end waits for no fence", "[namespace]") {
  const InodeNumber inode = file(kRootInode, "f");
  expect_ok(open_for_write(inode), kOtherSession);
  apply(CloseSession{kOtherSession});
  REQUIRE(names->recoveries(0, 10)->size() == 1);
  CHECK(names->recoveries(0, 10)->front().fence == 0);
  expect_ok(remove_request(kRootInode, "f", false));
  apply(DeleteInode{inode});
  CHECK(names->recoveries(0, 10)->empty());
}

}  // namespace
}  // namespace mendfs::metaserver
