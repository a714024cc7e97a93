// A filesystem's names in the simplest way: nodes in a map, children in a map. What the namespace is compared with.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "base/error.h"

namespace mendfs::metaserver {

class ModelFilesystem {
 public:
  using Node = std::uint64_t;
  static constexpr Node kRoot = 1;

  struct Inode {
    bool directory = false;
    std::uint32_t names = 0;
    Node parent = 0;  // of directories
    std::map<std::string, Node> children;
    std::uint64_t size = 0;
  };

  ModelFilesystem() { nodes[kRoot] = {true, 1, kRoot, {}, 0}; }

  ErrorCode make(Node parent, const std::string& name, bool directory, Node node) {
    if (const ErrorCode code = check_parent(parent); code != ErrorCode::Ok) return code;
    if (nodes[parent].children.contains(name)) return ErrorCode::Exists;
    nodes[node] = {directory, 1, parent, {}, 0};
    nodes[parent].children[name] = node;
    return ErrorCode::Ok;
  }

  ErrorCode link(Node node, Node parent, const std::string& name) {
    if (const ErrorCode code = check_parent(parent); code != ErrorCode::Ok) return code;
    if (nodes[parent].children.contains(name)) return ErrorCode::Exists;
    if (nodes[node].directory) return ErrorCode::NotPermitted;
    if (nodes[node].names == 0) return ErrorCode::NotFound;
    ++nodes[node].names;
    nodes[parent].children[name] = node;
    return ErrorCode::Ok;
  }

  ErrorCode remove(Node parent, const std::string& name, bool directory) {
    if (!nodes[parent].directory) return ErrorCode::NotDirectory;
    if (!nodes[parent].children.contains(name)) return ErrorCode::NotFound;
    Inode& gone = nodes[nodes[parent].children[name]];
    if (directory && !gone.directory) return ErrorCode::NotDirectory;
    if (!directory && gone.directory) return ErrorCode::IsDirectory;
    if (!gone.children.empty()) return ErrorCode::NotEmpty;
    --gone.names;
    nodes[parent].children.erase(name);
    return ErrorCode::Ok;
  }

  ErrorCode rename(Node parent, const std::string& name, Node new_parent, const std::string& new_name, bool exchange) {
    if (!nodes[parent].directory || !nodes[new_parent].directory) return ErrorCode::NotDirectory;
    if (nodes[new_parent].names == 0) return ErrorCode::NotFound;
    if (!nodes[parent].children.contains(name)) return ErrorCode::NotFound;
    const Node source = nodes[parent].children[name];
    const bool replaces = nodes[new_parent].children.contains(new_name);
    const Node target = replaces ? nodes[new_parent].children[new_name] : 0;
    if (exchange && !replaces) return ErrorCode::NotFound;
    if (is_within(new_parent, source)) return ErrorCode::InvalidArgument;
    if (replaces && is_within(parent, target)) return exchange ? ErrorCode::InvalidArgument : ErrorCode::NotEmpty;
    if (source == target) return ErrorCode::Ok;
    if (replaces && !exchange) {
      if (nodes[source].directory && !nodes[target].directory) return ErrorCode::NotDirectory;
      if (!nodes[source].directory && nodes[target].directory) return ErrorCode::IsDirectory;
      if (!nodes[target].children.empty()) return ErrorCode::NotEmpty;
      --nodes[target].names;
    }
    nodes[parent].children.erase(name);
    nodes[new_parent].children[new_name] = source;
    nodes[source].parent = new_parent;
    if (exchange) {
      nodes[parent].children[name] = target;
      nodes[target].parent = parent;
    }
    return ErrorCode::Ok;
  }

  ErrorCode truncate(Node node, std::uint64_t size) {
    if (nodes[node].directory) return ErrorCode::IsDirectory;
    nodes[node].size = size;
    return ErrorCode::Ok;
  }

  std::uint32_t link_count(Node node) const {
    const Inode& inode = nodes.at(node);
    if (!inode.directory) return inode.names;
    if (inode.names == 0) return 0;
    std::uint32_t count = 2;
    for (const auto& [name, child] : inode.children) count += nodes.at(child).directory;
    return count;
  }

  std::map<Node, Inode> nodes;

 private:
  ErrorCode check_parent(Node parent) {
    if (!nodes[parent].directory) return ErrorCode::NotDirectory;
    return nodes[parent].names == 0 ? ErrorCode::NotFound : ErrorCode::Ok;
  }
  bool is_within(Node node, Node ancestor) {
    for (; node != kRoot; node = nodes[node].parent)
      if (node == ancestor) return true;
    return node == ancestor;
  }
};

}  // namespace mendfs::metaserver
