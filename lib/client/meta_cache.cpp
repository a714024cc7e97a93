#include "client/meta_cache.h"

#include <sys/stat.h>

#include <algorithm>
#include <utility>

namespace mendfs::client {
namespace {

/// Look-ups in a directory after which the rest of it is fetched as well; more in large ones, so that a directory that
/// others keep changing is not read again and again for a few names.
constexpr std::size_t kAskedMin = 4;
constexpr std::size_t kAskedShare = 8;

}  // namespace

std::uint64_t MetaCache::key_of(InodeNumber inode) { return std::hash<InodeNumber>{}(inode)*0x9e3779b97f4a7c15u; }

/// Two that share a key only make each other ask once more than needed.
std::uint64_t MetaCache::key_of(InodeNumber parent, const std::string& name) {
  return std::hash<std::string>{}(name) ^ (key_of(parent) + 1);
}

void MetaCache::note(std::uint64_t key, std::uint64_t index) {
  std::uint64_t& last = changed_at_[key];
  if (last >= index) return;
  last = index;
  changes_.emplace_back(key, index);
  while (changes_.size() > limits_.recent) {
    const auto [old_key, old_index] = changes_.front();
    changes_.pop_front();
    floor_ = std::max(floor_, old_index);
    const auto found = changed_at_.find(old_key);
    if (found != changed_at_.end() && found->second == old_index) changed_at_.erase(found);
  }
}

bool MetaCache::is_fresh(std::uint64_t key, std::uint64_t as_of) const {
  if (!is_kept_true_ || as_of < floor_) return false;
  const auto found = changed_at_.find(key);
  return found == changed_at_.end() || found->second <= as_of;
}

void MetaCache::begin(std::uint64_t index) {
  if (is_kept_true_) return;
  is_kept_true_ = true;
  floor_ = std::max(floor_, index);
}

void MetaCache::reset() {
  is_kept_true_ = false;
  while (!by_use_.empty()) tell_and_erase(by_use_.back());
}

void MetaCache::forget_before(std::uint64_t index) {
  floor_ = std::max(floor_, index);
  while (!by_use_.empty()) tell_and_erase(by_use_.back());
}

void MetaCache::changed_here(const protocol::Touched& touched, std::uint64_t index) {
  for (const InodeNumber inode : touched.gone) {
    note(key_of(inode), index);
    erase_node(inode);
  }
  for (const protocol::Attributes& attributes : touched.inodes) {
    note(key_of(attributes.inode), index);
    learn(attributes, index, Telling::No);
    Node* known = find_node(attributes.inode);
    if (known != nullptr && known->as_of < index) known->attributes.reset();
  }
  for (const protocol::NameState& name : touched.names) {
    const std::uint64_t key = key_of(name.parent, name.name);
    note(key, index);
    Node* parent = find_node(name.parent);
    Directory* directory = parent == nullptr ? nullptr : parent->directory.get();
    if (directory != nullptr && !is_fresh(key, index)) {
      // Overtaken by something later: what the name is now is not known.
      directory->is_whole = false;
      directory->listed_up_to.reset();
    }
    if (name.inode != 0) {
      learn_name(name.parent, name.name, name.inode, index);
      parent = find_node(name.parent);
      directory = parent == nullptr ? nullptr : parent->directory.get();
    }
    if (directory == nullptr) continue;
    const auto known = directory->names.find(name.name);
    if (known == directory->names.end()) continue;
    const bool is_gone = name.inode == 0 && known->second.as_of == index;
    if (known->second.as_of < index || is_gone) erase_name(name.parent, *directory, name.name);
  }
}

MetaCache::Dropped MetaCache::changed_elsewhere(const protocol::ChangesRequest::Answer& changes) {
  Dropped dropped;
  for (const InodeNumber inode : changes.inodes) {
    note(key_of(inode), changes.up_to);
    Node* known = find_node(inode);
    if (known == nullptr || !known->attributes) continue;
    // Also when an answer has brought this up to date before: the front end may hold an older one.
    dropped.inodes.push_back(inode);
    if (known->as_of < changes.up_to) known->attributes.reset();
  }
  for (const protocol::NameState& name : changes.names) {
    note(key_of(name.parent, name.name), changes.up_to);
    Node* parent = find_node(name.parent);
    if (parent == nullptr || parent->directory == nullptr) continue;
    parent->directory->is_whole = false;
    parent->directory->listed_up_to.reset();
    const auto known = parent->directory->names.find(name.name);
    if (known == parent->directory->names.end()) continue;
    if (!known->second.is_directory) dropped.names.push_back(name);
    if (known->second.as_of >= changes.up_to) continue;
    // The inode keeps it, as the name to open it with: the kernel may be on its way by it.
    parent->directory->names.erase(known);
    --size_;
  }
  forget_again(dropped);
  return dropped;
}

void MetaCache::forget_again(const Dropped& dropped) {
  for (const InodeNumber inode : dropped.inodes) hooks_.forget_attributes(inode);
  for (const protocol::NameState& name : dropped.names) hooks_.forget_name(name.parent, name.name);
}

void MetaCache::learn(const protocol::Attributes& attributes, std::uint64_t as_of) {
  learn(attributes, as_of, Telling::Yes);
}

void MetaCache::learn(const protocol::Attributes& attributes, std::uint64_t as_of, Telling telling) {
  if (!is_fresh(key_of(attributes.inode), as_of)) return;
  Node& known = node(attributes.inode);
  if (known.attributes) {
    if (known.as_of > as_of) return;
    if (telling == Telling::Yes && known.attributes->change != attributes.change)
      hooks_.forget_attributes(attributes.inode);
  }
  known.attributes = attributes;
  known.as_of = as_of;
  make_room();
}

void MetaCache::learn_name(InodeNumber parent, const std::string& name, InodeNumber inode, std::uint64_t as_of) {
  if (!is_fresh(key_of(parent, name), as_of)) return;
  const Node* named_now = find_node(inode);
  const bool is_directory = named_now != nullptr && named_now->attributes && S_ISDIR(named_now->attributes->mode);
  Directory& names = directory(parent);
  const auto [entry, is_new] = names.names.try_emplace(name, Name{inode, as_of, is_directory});
  if (is_new) ++size_;
  if (!is_new && entry->second.as_of <= as_of) entry->second = {inode, as_of, is_directory};
  if (Node* named = find_node(entry->second.inode)) {
    named->parent = parent;
    named->name = name;
  }
  make_room();
}

void MetaCache::learn_page(InodeNumber inode, std::uint64_t cookie, const protocol::ReadDirectoryReply& page,
                           std::uint64_t as_of) {
  // A change of the directory that the page does not know of may have been a name that it lacks.
  if (cookie == 0 && is_fresh(key_of(inode), as_of)) directory(inode).listed_up_to = 0;
  for (const protocol::Dentry& entry : page.entries) {
    learn(entry.attributes, as_of);
    learn_name(inode, entry.name, entry.attributes.inode, as_of);
  }
  Node* read = find_node(inode);
  if (read == nullptr || read->directory == nullptr || read->directory->listed_up_to != cookie) return;
  Directory& names = *read->directory;
  names.listed_up_to.reset();
  if (!is_kept_true_ || as_of < floor_) return;
  if (page.end) {
    names.is_whole = true;
  } else if (!page.entries.empty()) {
    names.listed_up_to = page.entries.back().cookie;
  }
}

void MetaCache::learn_new_directory(InodeNumber inode) {
  if (is_kept_true_ && find_node(inode) != nullptr) directory(inode).is_whole = true;
}

void MetaCache::drop_name(const protocol::NameState& name) {
  if (Node* named = find_node(name.inode)) named->parent = 0;
  Node* known = find_node(name.parent);
  if (known == nullptr || known->directory == nullptr) return;
  known->directory->is_whole = false;
  known->directory->listed_up_to.reset();
  erase_name(name.parent, *known->directory, name.name);
}

std::optional<protocol::Attributes> MetaCache::attributes(InodeNumber inode) {
  Node* known = find_node(inode);
  if (known == nullptr) return std::nullopt;
  by_use_.splice(by_use_.begin(), by_use_, known->place);
  return known->attributes;
}

std::optional<InodeNumber> MetaCache::find(InodeNumber parent, const std::string& name) {
  Node* known = find_node(parent);
  if (known == nullptr || known->directory == nullptr) return std::nullopt;
  by_use_.splice(by_use_.begin(), by_use_, known->place);
  const auto entry = known->directory->names.find(name);
  if (entry != known->directory->names.end()) {
    if (Node* named = find_node(entry->second.inode); named != nullptr && named->name != name) {
      named->parent = parent;
      named->name = name;
    }
    return entry->second.inode;
  }
  if (known->directory->is_whole) return InodeNumber{0};
  return std::nullopt;
}

std::optional<protocol::NameState> MetaCache::name_of(InodeNumber inode) const {
  const Node* known = find_node(inode);
  if (known == nullptr || known->parent == 0) return std::nullopt;
  return protocol::NameState{known->parent, known->name, inode};
}

bool MetaCache::keeps(const protocol::Attributes& attributes) const {
  const Node* known = find_node(attributes.inode);
  return known != nullptr && known->attributes && known->attributes->change == attributes.change;
}

bool MetaCache::keeps_name(InodeNumber parent, const std::string& name, InodeNumber inode) const {
  const Node* known = find_node(parent);
  if (known == nullptr || known->directory == nullptr) return false;
  const auto entry = known->directory->names.find(name);
  return entry != known->directory->names.end() && entry->second.inode == inode;
}

bool MetaCache::is_worth_reading(InodeNumber inode) {
  if (!is_kept_true_) return false;
  Directory& names = directory(inode);
  if (++names.asked < std::max(kAskedMin, names.names.size() / kAskedShare)) return false;
  names.asked = 0;
  return !names.is_whole;
}

MetaCache::Node* MetaCache::find_node(InodeNumber inode) {
  const auto found = nodes_.find(inode);
  return found == nodes_.end() ? nullptr : &found->second;
}

const MetaCache::Node* MetaCache::find_node(InodeNumber inode) const {
  const auto found = nodes_.find(inode);
  return found == nodes_.end() ? nullptr : &found->second;
}

MetaCache::Node& MetaCache::node(InodeNumber inode) {
  const auto [found, is_new] = nodes_.try_emplace(inode);
  if (is_new) {
    by_use_.push_front(inode);
    found->second.place = by_use_.begin();
    ++size_;
  } else {
    by_use_.splice(by_use_.begin(), by_use_, found->second.place);
  }
  return found->second;
}

MetaCache::Directory& MetaCache::directory(InodeNumber inode) {
  Node& known = node(inode);
  if (known.directory == nullptr) known.directory = std::make_unique<Directory>();
  return *known.directory;
}

void MetaCache::erase_name(InodeNumber parent, Directory& directory, const std::string& name) {
  const auto entry = directory.names.find(name);
  if (entry == directory.names.end()) return;
  Node* named = find_node(entry->second.inode);
  if (named != nullptr && named->parent == parent && named->name == name) named->parent = 0;
  directory.names.erase(entry);
  --size_;
}

void MetaCache::erase_node(InodeNumber inode) {
  const auto found = nodes_.find(inode);
  if (found == nodes_.end()) return;
  if (found->second.directory != nullptr) size_ -= found->second.directory->names.size();
  by_use_.erase(found->second.place);
  nodes_.erase(found);
  --size_;
}

void MetaCache::tell_and_erase(InodeNumber inode) {
  const Node* known = find_node(inode);
  if (known->attributes) hooks_.forget_attributes(inode);
  if (known->directory != nullptr)
    for (const auto& [name, entry] : known->directory->names)
      if (!entry.is_directory) hooks_.forget_name(inode, name);
  erase_node(inode);
}

void MetaCache::make_room() {
  while (size_ > limits_.entries && by_use_.size() > 1) tell_and_erase(by_use_.back());
}

}  // namespace mendfs::client
