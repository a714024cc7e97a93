#include "base/error.h"

#include <cerrno>
#include <cstring>

namespace mendfs {
namespace {

struct Row {
  ErrorCode code;
  std::string_view name;
  int error_number;
};

constexpr Row kRows[] = {
    {ErrorCode::Ok, "Ok", 0},
    {ErrorCode::NotPermitted, "NotPermitted", EPERM},
    {ErrorCode::NotFound, "NotFound", ENOENT},
    {ErrorCode::Interrupted, "Interrupted", EINTR},
    {ErrorCode::Io, "Io", EIO},
    {ErrorCode::AccessDenied, "AccessDenied", EACCES},
    {ErrorCode::Busy, "Busy", EBUSY},
    {ErrorCode::Exists, "Exists", EEXIST},
    {ErrorCode::CrossDevice, "CrossDevice", EXDEV},
    {ErrorCode::NotDirectory, "NotDirectory", ENOTDIR},
    {ErrorCode::IsDirectory, "IsDirectory", EISDIR},
    {ErrorCode::InvalidArgument, "InvalidArgument", EINVAL},
    {ErrorCode::FileTooBig, "FileTooBig", EFBIG},
    {ErrorCode::NoSpace, "NoSpace", ENOSPC},
    {ErrorCode::ReadOnly, "ReadOnly", EROFS},
    {ErrorCode::TooManyLinks, "TooManyLinks", EMLINK},
    {ErrorCode::NameTooLong, "NameTooLong", ENAMETOOLONG},
    {ErrorCode::NotEmpty, "NotEmpty", ENOTEMPTY},
    {ErrorCode::NoAttribute, "NoAttribute", ENODATA},
    {ErrorCode::TooSmall, "TooSmall", ERANGE},
    {ErrorCode::NotSupported, "NotSupported", EOPNOTSUPP},
    {ErrorCode::StaleHandle, "StaleHandle", ESTALE},
    {ErrorCode::TooBig, "TooBig", E2BIG},
    {ErrorCode::Unavailable, "Unavailable", EIO},
    {ErrorCode::OutcomeUnknown, "OutcomeUnknown", EIO},
    {ErrorCode::Corruption, "Corruption", EIO},
    {ErrorCode::Stale, "Stale", ESTALE},
    {ErrorCode::Refused, "Refused", EIO},
    {ErrorCode::Malformed, "Malformed", EIO},
    {ErrorCode::Internal, "Internal", EIO},
};

const Row* row_of(ErrorCode code) {
  for (const Row& row : kRows)
    if (row.code == code) return &row;
  return nullptr;
}

}  // namespace

std::string_view to_string(ErrorCode code) {
  const Row* row = row_of(code);
  return row != nullptr ? row->name : "Unknown";
}

Error error_from_errno(int error_number, std::string_view what) {
  ErrorCode code = ErrorCode::Io;
  for (const Row& row : kRows) {
    if (row.error_number == error_number && row.code != ErrorCode::Ok) {
      code = row.code;
      break;
    }
  }
  return Error{code, std::string(what) + ": " + std::strerror(error_number)};
}

int to_errno(ErrorCode code) {
  const Row* row = row_of(code);
  return row != nullptr ? row->error_number : EIO;
}

}  // namespace mendfs
