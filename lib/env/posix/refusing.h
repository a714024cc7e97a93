// The disk and the stores of a program that keeps nothing: every call is refused.
#pragma once

#include "env/disk.h"
#include "env/kv.h"

namespace mendfs {

class RefusingDisk final : public Disk {
 public:
  Result<std::unique_ptr<File>> open(const std::string&, OpenMode) override { return refusal(); }
  Result<void> remove(const std::string&) override { return refusal(); }
  Result<void> rename(const std::string&, const std::string&) override { return refusal(); }
  Result<std::vector<DirectoryEntry>> list(const std::string&) override { return refusal(); }
  Result<void> make_directory(const std::string&) override { return refusal(); }
  Task<Result<void>> sync_directory(const std::string&) override { co_return refusal(); }
  Result<DiskSpace> space() override { return refusal(); }
  std::string boot_id() override { return "none"; }

 private:
  static Error refusal() { return {ErrorCode::Internal, "this program keeps no files"}; }
};

class RefusingKvFactory final : public KvFactory {
 public:
  Result<std::unique_ptr<Kv>> open(const std::string&) override { return refusal(); }
  Result<void> destroy(const std::string&) override { return refusal(); }

 private:
  static Error refusal() { return {ErrorCode::Internal, "this program keeps no stores"}; }
};

}  // namespace mendfs
