#include "fuseclient/session.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <thread>
#include <utility>

#include "fuseclient/convert.h"
#include "fuseclient/operations.h"

namespace mendfs::fuse {
namespace {

/// The kernel's default of 12 lets twelve reads that wait for a server stop all others.
constexpr unsigned kBackgroundMax = 512;
constexpr unsigned kCongestionThreshold = 384;
/// They unpack and hash, and never wait.
constexpr unsigned kThreadsMin = 2;
constexpr unsigned kThreadsMax = 8;

void init(void* session, fuse_conn_info* connection) {
  connection->max_write = kRequestSizeMax;
  connection->max_readahead = kRequestSizeMax;
  connection->max_background = kBackgroundMax;
  connection->congestion_threshold = kCongestionThreshold;
  constexpr unsigned kWanted = FUSE_CAP_ASYNC_READ | FUSE_CAP_ASYNC_DIO | FUSE_CAP_PARALLEL_DIROPS |
                               FUSE_CAP_READDIRPLUS | FUSE_CAP_READDIRPLUS_AUTO | FUSE_CAP_EXPORT_SUPPORT;
  // Everything else stays off. AUTO_INVAL_DATA: dropping pages because of a new mtime waits for those that are being
  // read. ATOMIC_O_TRUNC and HANDLE_KILLPRIV: the kernel asks for these as changes of attributes, which are logged.
  // WRITEBACK_CACHE: write(2) would return before anybody has the bytes.
  connection->want = connection->capable & kWanted;
  static_cast<Session*>(session)->ready();
}

fuse_lowlevel_ops operations() {
  fuse_lowlevel_ops operations{};
  operations.init = init;
  add_name_operations(operations);
  add_attribute_operations(operations);
  add_directory_operations(operations);
  add_file_operations(operations);
  add_xattr_operations(operations);
  return operations;
}

}  // namespace

Requests& Requests::of(fuse_req_t request) { return static_cast<Session*>(fuse_req_userdata(request))->requests(); }

Result<std::unique_ptr<Session>> Session::mount(const std::string& mountpoint, const MountOptions& options,
                                                Requests& requests, SessionEvents events) {
  std::unique_ptr<Session> session(new Session(requests, std::move(events)));
  std::string program = "fuseclient";
  std::string flag = "-o";
  std::string list = libfuse_options(options);
  std::array<char*, 4> words = {program.data(), flag.data(), list.data(), nullptr};
  fuse_args arguments = FUSE_ARGS_INIT(3, words.data());
  const fuse_lowlevel_ops table = operations();
  session->session_ = fuse_session_new(&arguments, &table, sizeof table, session.get());
  fuse_opt_free_args(&arguments);
  if (session->session_ == nullptr) {
    return Error{ErrorCode::InvalidArgument, fmt::format("libfuse refuses the mount options \"{}\"", list)};
  }
  if (fuse_session_mount(session->session_, mountpoint.c_str()) != 0) {
    fuse_session_destroy(session->session_);
    return Error{ErrorCode::Io, fmt::format("cannot mount on {}; libfuse has said why just above", mountpoint)};
  }
  session->invalidator_ = std::make_unique<Invalidator>(session->session_);
  std::thread([self = session.get()] { self->serve(); }).detach();
  return session;
}

void Session::serve() {
  fuse_loop_config* config = fuse_loop_cfg_create();
  const unsigned threads = std::clamp(std::thread::hardware_concurrency(), kThreadsMin, kThreadsMax);
  fuse_loop_cfg_set_max_threads(config, threads);
  fuse_loop_cfg_set_idle_threads(config, threads);
  fuse_session_loop_mt(session_, config);
  fuse_loop_cfg_destroy(config);
  events_.on_ended();
}

}  // namespace mendfs::fuse
