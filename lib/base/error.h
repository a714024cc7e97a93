// Every way an operation can fail, and Result<T>, which carries one.
//
// A code is either a refusal of POSIX, one per errno that reaches a user, or one of ours, each of which
// tells the caller what to do next. Errors are values: nothing here throws, and no Result may be ignored.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace mendfs {

/// The number of each code is part of the wire protocol (docs/protocol.md): append, never renumber.
enum class ErrorCode : std::uint8_t {
  Ok = 0,
  // Refusals of POSIX.
  NotPermitted = 1,      // EPERM
  NotFound = 2,          // ENOENT
  Interrupted = 3,       // EINTR
  Io = 4,                // EIO: no good copy is left, or the disk failed
  AccessDenied = 5,      // EACCES
  Busy = 6,              // EBUSY
  Exists = 7,            // EEXIST
  CrossDevice = 8,       // EXDEV
  NotDirectory = 9,      // ENOTDIR
  IsDirectory = 10,      // EISDIR
  InvalidArgument = 11,  // EINVAL
  FileTooBig = 12,       // EFBIG
  NoSpace = 13,          // ENOSPC
  ReadOnly = 14,         // EROFS
  TooManyLinks = 15,     // EMLINK
  NameTooLong = 16,      // ENAMETOOLONG
  NotEmpty = 17,         // ENOTEMPTY
  NoAttribute = 18,      // ENODATA: no such extended attribute
  TooSmall = 19,         // ERANGE: the caller's buffer
  NotSupported = 20,     // EOPNOTSUPP
  StaleHandle = 21,      // ESTALE: the inode is gone
  TooBig = 22,           // E2BIG
  // Ours: each says what to do next.
  Unavailable = 64,     // retry until the deadline: not reachable, not ready, still rebuilding
  OutcomeUnknown = 65,  // ask again with the same (session, sequence)
  Corruption = 66,      // these bytes are damaged: repair them from another copy
  Stale = 67,           // your cuts, ring or epoch are old: fetch the inode anew, then retry
  Refused = 68,         // another cluster, ring, slot, protocol version, or a fenced session: give up
  Malformed = 69,       // the request cannot be decoded or breaks a limit: a bug or an attack, give up
  Internal = 70,        // a broken expectation of our own
};

/// The code's name as written above, for logs and messages.
std::string_view to_string(ErrorCode code);

/// A code and a sentence a user can act on.
struct Error {
  ErrorCode code = ErrorCode::Internal;
  std::string message;
};

/// An Error made from an errno of the operating system; `what` names the operation and the object.
Error error_from_errno(int error_number, std::string_view what);

/// The one mapping to errno values, for FUSE replies. Codes of ours become EIO, except Stale (ESTALE).
int to_errno(ErrorCode code);

template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }

  /// Requires: ok().
  T& value() & { return *checked(); }
  const T& value() const& { return *const_cast<Result*>(this)->checked(); }
  T&& value() && { return std::move(*checked()); }
  T& operator*() & { return *checked(); }
  const T& operator*() const& { return *const_cast<Result*>(this)->checked(); }
  T&& operator*() && { return std::move(*checked()); }
  T* operator->() { return checked(); }
  const T* operator->() const { return const_cast<Result*>(this)->checked(); }

  /// Requires: !ok().
  const Error& error() const { return *std::get_if<1>(&state_); }
  ErrorCode code() const { return ok() ? ErrorCode::Ok : error().code; }

 private:
  T* checked() {
    T* value = std::get_if<0>(&state_);
    if (value == nullptr) std::abort();
    return value;
  }
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}

  bool ok() const { return !error_.has_value(); }
  explicit operator bool() const { return ok(); }
  /// Requires: !ok().
  const Error& error() const { return *error_; }
  ErrorCode code() const { return ok() ? ErrorCode::Ok : error_->code; }

 private:
  std::optional<Error> error_;
};

}  // namespace mendfs

#define MENDFS_CONCAT_2(a, b) a##b
#define MENDFS_CONCAT(a, b) MENDFS_CONCAT_2(a, b)

/// Evaluates a Result; on an error returns it from the function. MENDFS_TRY(auto x, f()) binds the value.
#define MENDFS_TRY(declaration, expression) MENDFS_TRY_AS(return, declaration, expression)
#define MENDFS_TRY_VOID(expression) MENDFS_TRY_VOID_AS(return, expression)
/// The same inside a coroutine.
#define MENDFS_CO_TRY(declaration, expression) MENDFS_TRY_AS(co_return, declaration, expression)
#define MENDFS_CO_TRY_VOID(expression) MENDFS_TRY_VOID_AS(co_return, expression)

#define MENDFS_TRY_AS(leave, declaration, expression)                                                                  \
  auto MENDFS_CONCAT(try_result_, __LINE__) = (expression);                                                            \
  if (!MENDFS_CONCAT(try_result_, __LINE__).ok()) leave ::mendfs::Error(MENDFS_CONCAT(try_result_, __LINE__).error()); \
  declaration = std::move(*MENDFS_CONCAT(try_result_, __LINE__))
#define MENDFS_TRY_VOID_AS(leave, expression)                        \
  do {                                                               \
    auto try_result = (expression);                                  \
    if (!try_result.ok()) leave ::mendfs::Error(try_result.error()); \
  } while (false)
