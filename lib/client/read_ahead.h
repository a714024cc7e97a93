// Read-ahead: while a handle is read in order, the bytes that come next are fetched before they are asked for, in large
// pieces, several at a time. They are verified and their other copies checked like all that is read.
//
// What is fetched belongs to one handle, so an open sees what was there when it was opened. It counts for no longer
// than kReadAheadKeep, and no more as soon as anything about the file has changed on this mount. A server that is away
// never makes it wait: then there is none, and the read itself waits. Loop thread only.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>

#include "client/open_file.h"
#include "client/reader.h"
#include "env/future.h"
#include "env/task.h"

namespace mendfs::client {

class ReadAhead {
 public:
  ReadAhead(Loop& loop, Reader& reader) : loop_(loop), reader_(reader), held_(std::make_shared<std::uint64_t>(0)) {}

  /// As Reader::read(), through this handle. Requires: size > 0, all of it lies within the file.
  Task<Result<Buffer>> read(std::shared_ptr<Handle> handle, std::uint64_t offset, std::uint32_t size);

  /// Begins to fetch the whole of a small file that is being opened for reading, for a handle to come. Nothing: it is
  /// empty, or large. What it brings counts only if the open finds the file as it is known now.
  std::shared_ptr<AheadPiece> fetch_small(std::shared_ptr<OpenFile> file);

  /// Bytes fetched ahead or being fetched, of all handles.
  std::uint64_t held_size() const { return *held_; }

 private:
  void fetch_what_comes_next(Handle& handle);
  Task<void> fetch(std::shared_ptr<OpenFile> file, std::shared_ptr<AheadPiece> piece);
  bool counts(const AheadPiece& piece, const OpenFile& file) const;

  Loop& loop_;
  Reader& reader_;
  std::shared_ptr<std::uint64_t> held_;  // outlives the handles' pieces
  Scope scope_;
};

}  // namespace mendfs::client
