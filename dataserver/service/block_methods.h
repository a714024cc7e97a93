// The store by hand: file.list and block.*. They are for people and tests, but what they change goes the way of a
// client's write: ordered here, forwarded to the other copy, acknowledged by both. Loop thread only.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "dataserver/replication/replica.h"
#include "dataserver/store/block_store.h"
#include "env/env.h"
#include "rpc/method_table.h"

namespace mendfs::dataserver {

class BlockMethods {
 public:
  BlockMethods(Env& env, store::BlockStore& store, replication::Replica& replica);

  void add_methods(rpc::MethodTable& table);

 private:
  using Parameters = std::vector<rpc::Value>;
  using Reply = Task<Result<rpc::Value>>;

  Reply list_files(Parameters parameters);
  Reply list_blocks(Parameters parameters);
  Reply get(Parameters parameters);
  Reply put(Parameters parameters);
  Reply remove(Parameters parameters);
  Reply verify(Parameters parameters);
  Reply repair(Parameters parameters);
  Reply corrupt(Parameters parameters);

  void add(rpc::MethodTable& table, const char* name, const char* signature, const char* help,
           Reply (BlockMethods::*method)(Parameters));
  /// The blocks of [first, first + count) that this server holds, as runs of one class each.
  std::vector<BlockRun> classes_of(BlockIndex first, std::uint32_t count) const;
  /// The layout of a file, from a run near `block` or at its beginning. NotFound when there is none.
  Task<Result<Layout>> layout_of(InodeNumber inode, BlockIndex block);
  Task<Result<protocol::FileRef>> file_of(InodeNumber inode, BlockIndex block, std::optional<Slot> start);
  Reply write(protocol::FileRef file, BlockIndex block, std::optional<std::string> content);

  Env& env_;
  store::BlockStore& store_;
  replication::Replica& replica_;
  SessionId session_;  // whose writes these are
  std::uint64_t last_sequence_ = 0;
  std::set<std::uint64_t> unanswered_;
};

}  // namespace mendfs::dataserver
