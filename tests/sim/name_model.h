// The names of a directory tree in the simplest way, and what each change of them answers: what a NameWorker expects.
// Pure.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "base/error.h"
#include "block/types.h"

namespace mendfs::sim {

struct NameChange {
  enum class Kind { MakeFile, MakeDirectory, Link, Unlink, RemoveDirectory, Rename, Exchange };
  Kind kind = Kind::MakeFile;
  InodeNumber parent = 0;
  std::string name;
  InodeNumber new_parent = 0;  // Rename, Exchange
  std::string new_name;
  InodeNumber source = 0;  // Link: of what
};
std::string describe(const NameChange& change);

class NameModel {
 public:
  struct Node {
    bool directory = false;
    InodeNumber parent = 0;  // of directories
    std::map<std::string, InodeNumber> children;
    bool operator==(const Node&) const = default;
  };

  explicit NameModel(InodeNumber root) : root_(root) { nodes_[root] = {true, root, {}}; }

  /// `made`: the number that a Make... gave. The state is as before unless it answers Ok.
  ErrorCode apply(const NameChange& change, InodeNumber made);
  bool operator==(const NameModel&) const = default;

  InodeNumber root() const { return root_; }
  const std::map<InodeNumber, Node>& nodes() const { return nodes_; }
  /// For whoever reads a tree: its root is there already.
  void add(InodeNumber parent, const std::string& name, InodeNumber inode, bool directory);
  /// All of it in one line.
  std::string describe() const;

 private:
  ErrorCode rename(const NameChange& change);
  void forget_if_nameless(InodeNumber inode);
  bool is_within(InodeNumber inode, InodeNumber ancestor) const;

  InodeNumber root_;
  std::map<InodeNumber, Node> nodes_;  // those with a name
};

}  // namespace mendfs::sim
