#include "tests/sim/name_model.h"

#include <fmt/core.h>

#include <algorithm>

namespace mendfs::sim {

std::string describe(const NameChange& change) {
  using Kind = NameChange::Kind;
  const std::string place = fmt::format("{:x}/{}", change.parent, change.name);
  switch (change.kind) {
    case Kind::MakeFile:
      return "make " + place;
    case Kind::MakeDirectory:
      return "mkdir " + place;
    case Kind::Link:
      return fmt::format("link {:x} to {}", change.source, place);
    case Kind::Unlink:
      return "unlink " + place;
    case Kind::RemoveDirectory:
      return "rmdir " + place;
    case Kind::Rename:
    case Kind::Exchange:
      break;
  }
  return fmt::format("{} {} to {:x}/{}", change.kind == Kind::Rename ? "rename" : "exchange", place, change.new_parent,
                     change.new_name);
}

void NameModel::add(InodeNumber parent, const std::string& name, InodeNumber inode, bool directory) {
  Node& node = nodes_[inode];
  node.directory = directory;
  if (directory) node.parent = parent;
  nodes_[parent].children[name] = inode;
}

ErrorCode NameModel::apply(const NameChange& change, InodeNumber made) {
  using Kind = NameChange::Kind;
  const auto parent = nodes_.find(change.parent);
  if (parent == nodes_.end()) return ErrorCode::StaleHandle;
  std::map<std::string, InodeNumber>& children = parent->second.children;
  const auto child = children.find(change.name);
  switch (change.kind) {
    case Kind::MakeFile:
    case Kind::MakeDirectory:
      if (child != children.end()) return ErrorCode::Exists;
      add(change.parent, change.name, made, change.kind == Kind::MakeDirectory);
      return ErrorCode::Ok;
    case Kind::Link:
      if (!nodes_.contains(change.source)) return ErrorCode::StaleHandle;
      if (child != children.end()) return ErrorCode::Exists;
      children[change.name] = change.source;
      return ErrorCode::Ok;
    case Kind::Unlink:
    case Kind::RemoveDirectory: {
      if (child == children.end()) return ErrorCode::NotFound;
      const InodeNumber inode = child->second;
      const Node& gone = nodes_.at(inode);
      const bool as_directory = change.kind == Kind::RemoveDirectory;
      if (gone.directory != as_directory) return as_directory ? ErrorCode::NotDirectory : ErrorCode::IsDirectory;
      if (!gone.children.empty()) return ErrorCode::NotEmpty;
      children.erase(child);
      forget_if_nameless(inode);
      return ErrorCode::Ok;
    }
    case Kind::Rename:
    case Kind::Exchange:
      return rename(change);
  }
  return ErrorCode::InvalidArgument;
}

ErrorCode NameModel::rename(const NameChange& change) {
  const bool exchange = change.kind == NameChange::Kind::Exchange;
  if (!nodes_.contains(change.new_parent)) return ErrorCode::StaleHandle;
  std::map<std::string, InodeNumber>& from = nodes_.at(change.parent).children;
  std::map<std::string, InodeNumber>& to = nodes_.at(change.new_parent).children;
  if (!from.contains(change.name)) return ErrorCode::NotFound;
  const InodeNumber source = from.at(change.name);
  const InodeNumber target = to.contains(change.new_name) ? to.at(change.new_name) : 0;
  if (exchange && target == 0) return ErrorCode::NotFound;
  if (is_within(change.new_parent, source)) return ErrorCode::InvalidArgument;
  if (target != 0 && is_within(change.parent, target))
    return exchange ? ErrorCode::InvalidArgument : ErrorCode::NotEmpty;
  if (source == target) return ErrorCode::Ok;
  if (target != 0 && !exchange) {
    if (nodes_.at(source).directory && !nodes_.at(target).directory) return ErrorCode::NotDirectory;
    if (!nodes_.at(source).directory && nodes_.at(target).directory) return ErrorCode::IsDirectory;
    if (!nodes_.at(target).children.empty()) return ErrorCode::NotEmpty;
  }
  from.erase(change.name);
  to[change.new_name] = source;
  if (nodes_.at(source).directory) nodes_.at(source).parent = change.new_parent;
  if (exchange) {
    from[change.name] = target;
    if (nodes_.at(target).directory) nodes_.at(target).parent = change.parent;
  } else if (target != 0) {
    forget_if_nameless(target);
  }
  return ErrorCode::Ok;
}

void NameModel::forget_if_nameless(InodeNumber inode) {
  for (const auto& [parent, node] : nodes_)
    for (const auto& [name, child] : node.children)
      if (child == inode) return;
  nodes_.erase(inode);
}

bool NameModel::is_within(InodeNumber inode, InodeNumber ancestor) const {
  if (!nodes_.at(ancestor).directory) return false;
  for (; inode != root_; inode = nodes_.at(inode).parent)
    if (inode == ancestor) return true;
  return inode == ancestor;
}

std::string NameModel::describe() const {
  std::string text;
  for (const auto& [inode, node] : nodes_)
    for (const auto& [name, child] : node.children) text += fmt::format(" {:x}/{}={:x}", inode, name, child);
  return text.empty() ? " nothing" : text;
}

}  // namespace mendfs::sim
