// What the sources of Filesystem share and its users need not see.
#pragma once

#include <memory>
#include <utility>

#include "client/filesystem.h"
#include "client/open_file.h"
#include "client/read_ahead.h"
#include "client/reader.h"
#include "client/servers.h"
#include "client/syncer.h"
#include "client/writer.h"

namespace mendfs::client {

/// For an fsync of names or attributes, once.
Error lost_in_a_power_cut();

template <class T>
Task<void> Filesystem::finish(Task<Result<T>> work, Promise<Result<T>> done) {
  done.set(co_await std::move(work));
}

template <class T>
Task<Result<T>> Filesystem::detached(Task<Result<T>> work) {
  auto [promise, future] = make_promise<Result<T>>(loop_);
  scope_.spawn(finish(std::move(work), promise));
  co_return co_await future;
}

}  // namespace mendfs::client
