// What a change tells caches: everything it touched, as it is afterwards.
#include <algorithm>

#include "tests/unit/metaserver/namespace/namespace_fixture.h"

namespace mendfs::metaserver {
namespace {

using protocol::NameState;
using protocol::Touched;

/// Each inode the change named is given as the namespace has it now.
void check_up_to_date(NamespaceFixture& f, const Touched& touched) {
  for (const Attributes& told : touched.inodes) CHECK(told == f.attributes(told.inode));
}

bool tells(const Touched& touched, InodeNumber inode) {
  return std::any_of(touched.inodes.begin(), touched.inodes.end(),
                     [&](const Attributes& attributes) { return attributes.inode == inode; });
}

bool tells(const Touched& touched, const NameState& name) {
  return std::find(touched.names.begin(), touched.names.end(), name) != touched.names.end();
}

}  // namespace

TEST_CASE("making a file touches it, its directory and its name", "[namespace][touched]") {
  NamespaceFixture f;
  const Outcome made = f.change(f.make_request(kRootInode, "new", S_IFREG | 0644));
  const InodeNumber inode = f.inode_of(kRootInode, "new");
  CHECK(made.touched.inodes.size() == 2);
  CHECK(tells(made.touched, inode));
  CHECK(tells(made.touched, kRootInode));
  CHECK(made.touched.names == std::vector<NameState>{{kRootInode, "new", inode}});
  check_up_to_date(f, made.touched);
}

TEST_CASE("a rename over another file touches both, both names and both directories", "[namespace][touched]") {
  NamespaceFixture f;
  const InodeNumber here = f.directory(kRootInode, "here");
  const InodeNumber there = f.directory(kRootInode, "there");
  const InodeNumber moved = f.file(here, "moved");
  const InodeNumber replaced = f.file(there, "replaced");
  const Outcome renamed = f.change(f.rename_request(here, "moved", there, "replaced"));
  for (const InodeNumber inode : {here, there, moved, replaced}) CHECK(tells(renamed.touched, inode));
  CHECK(tells(renamed.touched, NameState{here, "moved", 0}));
  CHECK(tells(renamed.touched, NameState{there, "replaced", moved}));
  check_up_to_date(f, renamed.touched);
}

TEST_CASE("an inode that is deleted for good is gone", "[namespace][touched]") {
  NamespaceFixture f;
  const InodeNumber inode = f.file(kRootInode, "file");
  const Outcome removed = f.change(f.remove_request(kRootInode, "file", false));
  CHECK(tells(removed.touched, inode));
  CHECK(tells(removed.touched, NameState{kRootInode, "file", 0}));
  const Outcome deleted = f.apply(DeleteInode{inode});
  CHECK(deleted.touched.gone == std::vector<InodeNumber>{inode});
}

TEST_CASE("a refused change touches nothing, and a repeated one says that it is", "[namespace][touched]") {
  NamespaceFixture f;
  f.file(kRootInode, "taken");
  const Outcome refused = f.change(f.make_request(kRootInode, "taken", S_IFREG | 0644));
  CHECK(refused.code == ErrorCode::Exists);
  CHECK(refused.touched == Touched{});

  protocol::MakeRequest request = f.make_request(kRootInode, "once", S_IFREG | 0644);
  request.call.session = kSession;
  request.call.sequence = request.call.answered_below = ++f.sequence;
  CHECK_FALSE(f.apply(request).repeated);
  const Outcome again = f.apply(request);
  CHECK(again.repeated);
  CHECK(again.touched == Touched{});
}

}  // namespace mendfs::metaserver
