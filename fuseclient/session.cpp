#include "fuseclient/session.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <poll.h>

#include <array>
#include <cerrno>
#include <utility>

#include "fuseclient/convert.h"
#include "fuseclient/operations.h"

namespace mendfs::fuse {
namespace {

/// The kernel's default of 12 lets twelve reads that wait for a server stop all others.
constexpr unsigned kBackgroundMax = 512;
constexpr unsigned kCongestionThreshold = 384;

void init(void* session, fuse_conn_info* connection) {
  connection->max_write = kRequestSizeMax;
  connection->max_readahead = kRequestSizeMax;
  connection->max_background = kBackgroundMax;
  connection->congestion_threshold = kCongestionThreshold;
  constexpr unsigned kWanted = FUSE_CAP_ASYNC_READ | FUSE_CAP_ASYNC_DIO | FUSE_CAP_PARALLEL_DIROPS |
                               FUSE_CAP_READDIRPLUS | FUSE_CAP_READDIRPLUS_AUTO | FUSE_CAP_EXPORT_SUPPORT |
                               FUSE_CAP_CACHE_SYMLINKS;
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

Requests& Requests::of(fuse_req_t request) { return Session::of(request).requests(); }

Result<std::unique_ptr<Session>> Session::mount(const std::string& mountpoint, const MountOptions& options,
                                                SessionParts parts, SessionEvents events) {
  std::unique_ptr<Session> session(new Session(parts, std::move(events)));
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
  MENDFS_TRY_VOID(session->begin(parts.readiness));
  return session;
}

Result<void> Session::begin(Readiness& readiness) {
  const int device = fuse_session_fd(session_);
  const int flags = ::fcntl(device, F_GETFL);
  if (flags < 0 || ::fcntl(device, F_SETFL, flags | O_NONBLOCK) != 0)
    return error_from_errno(errno, "set /dev/fuse to not waiting");
  watch_ = readiness.watch(device, [this] { receive_one(); });
  return {};
}

void Session::receive_one() {
  fuse_buf& buffer = buffers_.next();
  const int size = fuse_session_receive_buf(session_, &buffer);
  if (size > 0) fuse_session_process_buf(session_, &buffer);
  if (size > 0 || size == -EAGAIN || size == -EINTR) return;
  // Unmounted, or so broken that the kernel will not be heard of again.
  watch_.reset();
  events_.on_ended();
}

bool Session::is_more_waiting() const {
  pollfd device{.fd = fuse_session_fd(session_), .events = POLLIN, .revents = 0};
  return ::poll(&device, 1, 0) > 0;
}

}  // namespace mendfs::fuse
