// What this client remembers of attributes and names, and what its kernel may therefore remember too.
//
// It is kept true by the metaserver's feed of changes (docs/protocol.md, "Changes"). Every answer says as of which log
// entry it is; it is kept only if nothing known here happened to that inode or name since. What is dropped here the
// front end must drop as well: so the kernel never holds more than this does, and may hold it for as long.
//
// A directory all of whose names are here is whole: it also answers for names that do not exist.
// Pure but for its hooks; loop thread only. Bounded: what was not looked at for longest goes first.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "block/types.h"
#include "protocol/meta.h"
#include "protocol/session.h"

namespace mendfs::client {

class MetaCache {
 public:
  struct Hooks {
    std::function<void(InodeNumber)> forget_attributes;
    /// Not of directories: of their names the front end keeps nothing for long, since taking a name from a directory
    /// takes it from those who work in it, too.
    std::function<void(InodeNumber parent, const std::string& name)> forget_name;
  };
  struct Limits {
    std::size_t entries = 200'000;  // inodes and names, some 200 bytes each
    std::size_t recent = 65'536;    // changes remembered, so that answers overtaken by them are known
  };

  explicit MetaCache(Hooks hooks) : MetaCache(std::move(hooks), Limits{}) {}
  MetaCache(Hooks hooks, Limits limits) : hooks_(std::move(hooks)), limits_(limits) {}

  /// Every change after log entry `index` will be told: answers as of then or later may be kept. Nothing new if they
  /// are already.
  void begin(std::uint64_t index);
  /// Changes may go unheard: drops everything and keeps nothing until begin().
  void reset();
  bool is_kept_true() const { return is_kept_true_; }
  /// Something unknown was changed at log entry `index`.
  void forget_before(std::uint64_t index);

  /// A change of this client's own. The kernel, which asked for it, knows what it touched: no hook is called.
  void changed_here(const protocol::Touched& touched, std::uint64_t index);
  /// What changed_elsewhere() found known here.
  struct Dropped {
    std::vector<InodeNumber> inodes;
    std::vector<protocol::NameState> names;
  };
  /// Changes of others. The front end may have been answered with what they made wrong a moment before, and not have
  /// taken it in yet: forget_again(), a little later, tells it once more.
  Dropped changed_elsewhere(const protocol::ChangesRequest::Answer& changes);
  void forget_again(const Dropped& dropped);

  // What answers say, as of a log entry.
  void learn(const protocol::Attributes& attributes, std::uint64_t as_of);
  void learn_name(InodeNumber parent, const std::string& name, InodeNumber inode, std::uint64_t as_of);
  /// A page of a listing that began after `cookie`.
  void learn_page(InodeNumber directory, std::uint64_t cookie, const protocol::ReadDirectoryReply& page,
                  std::uint64_t as_of);
  /// It has just been made, so it is whole.
  void learn_new_directory(InodeNumber directory);
  /// A name that name_of() gave turned out to lead elsewhere.
  void drop_name(const protocol::NameState& name);

  std::optional<protocol::Attributes> attributes(InodeNumber inode);
  /// The inode of a name; 0 when it does not exist; nothing when that is not known.
  std::optional<InodeNumber> find(InodeNumber parent, const std::string& name);
  /// The name under which the inode was last seen: the kernel may still come to it by that.
  std::optional<protocol::NameState> name_of(InodeNumber inode) const;

  /// Whether the front end may keep these until told otherwise.
  bool keeps(const protocol::Attributes& attributes) const;
  bool keeps_name(InodeNumber parent, const std::string& name, InodeNumber inode) const;

  /// Counts a look-up that had to be asked for. True when there were so many in this directory that reading it whole
  /// is cheaper; counting begins anew then.
  bool is_worth_reading(InodeNumber directory);

  std::size_t size() const { return size_; }

 private:
  struct Name {
    InodeNumber inode = 0;
    std::uint64_t as_of = 0;
    bool is_directory = false;
  };
  struct Directory {
    std::unordered_map<std::string, Name> names;
    bool is_whole = false;
    std::optional<std::uint64_t> listed_up_to;  // the cookie that a listing from the start has come to
    std::size_t asked = 0;                      // look-ups since it was last read
  };
  struct Node {
    std::optional<protocol::Attributes> attributes;
    std::uint64_t as_of = 0;
    std::unique_ptr<Directory> directory;
    InodeNumber parent = 0;  // 0: no name is known
    std::string name;
    std::list<InodeNumber>::iterator place;
  };

  static std::uint64_t key_of(InodeNumber inode);
  static std::uint64_t key_of(InodeNumber parent, const std::string& name);
  enum class Telling { Yes, No };
  void learn(const protocol::Attributes& attributes, std::uint64_t as_of, Telling telling);
  void note(std::uint64_t key, std::uint64_t index);
  /// Whether an answer as of then knows of all that happened here to what the key stands for.
  bool is_fresh(std::uint64_t key, std::uint64_t as_of) const;

  Node* find_node(InodeNumber inode);
  const Node* find_node(InodeNumber inode) const;
  Node& node(InodeNumber inode);
  Directory& directory(InodeNumber inode);
  void erase_name(InodeNumber parent, Directory& directory, const std::string& name);
  void erase_node(InodeNumber inode);
  void tell_and_erase(InodeNumber inode);
  void make_room();

  Hooks hooks_;
  Limits limits_;
  bool is_kept_true_ = false;
  std::unordered_map<InodeNumber, Node> nodes_;
  std::list<InodeNumber> by_use_;  // latest first
  std::size_t size_ = 0;

  // The last change of each inode and name that changed lately; of all others, it was not after floor_.
  std::unordered_map<std::uint64_t, std::uint64_t> changed_at_;
  std::deque<std::pair<std::uint64_t, std::uint64_t>> changes_;
  std::uint64_t floor_ = 0;
};

}  // namespace mendfs::client
