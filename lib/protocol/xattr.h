// What clients ask the metaserver about extended attributes; as in meta.h.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "block/types.h"
#include "protocol/meta_reply.h"

namespace mendfs::protocol {

constexpr std::size_t kXattrValueSizeMax = 65536;

struct SetXattrRequest {
  static constexpr const char* kMethod = "fs.setxattr";
  using Reply = Nothing;
  CallHeader call;
  InodeNumber inode = 0;
  std::string name;
  std::string value;
  bool create = false;   // XATTR_CREATE: Exists if it is there
  bool replace = false;  // XATTR_REPLACE: NoAttribute if it is not
  template <class V>
  void fields(V& v) {
    v("call", call);
    v("inode", inode);
    v("name", name);
    v("value", value);
    v("create", create);
    v("replace", replace);
  }
};
struct RemoveXattrRequest {
  static constexpr const char* kMethod = "fs.removexattr";
  using Reply = Nothing;
  CallHeader call;
  InodeNumber inode = 0;
  std::string name;
  template <class V>
  void fields(V& v) {
    v("call", call);
    v("inode", inode);
    v("name", name);
  }
};
struct XattrReply {
  std::string value;
  template <class V>
  void fields(V& v) {
    v("value", value);
  }
};
struct GetXattrRequest {
  static constexpr const char* kMethod = "fs.getxattr";
  using Reply = XattrReply;
  CallHeader call;
  InodeNumber inode = 0;
  std::string name;
  template <class V>
  void fields(V& v) {
    v("call", call);
    v("inode", inode);
    v("name", name);
  }
};
struct ListXattrReply {
  std::vector<std::string> names;
  template <class V>
  void fields(V& v) {
    v("names", names);
  }
};
struct ListXattrRequest {
  static constexpr const char* kMethod = "fs.listxattr";
  using Reply = ListXattrReply;
  CallHeader call;
  InodeNumber inode = 0;
  template <class V>
  void fields(V& v) {
    v("call", call);
    v("inode", inode);
  }
};

}  // namespace mendfs::protocol
