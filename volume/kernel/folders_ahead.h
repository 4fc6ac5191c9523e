// Folders that a walk will enter soon, listed and looked at on a thread of their own: over files that
// did not change, most of the time is the kernel's.
#pragma once

#include <sys/stat.h>

#include <condition_variable>
#include <cstdint>
#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "base/unique_fd.h"
#include "volume/kernel/folder_listing.h"

namespace fairlead::volume {

// Its functions are called by one thread. At most kMost folders are held, with a descriptor or two and
// half a MiB each. Whatever goes wrong ahead is no failure: the folder is not there then.
class FoldersAhead {
 public:
  static constexpr std::size_t kMost = 8;
  // A folder by where the walk has met it: the number of its level, and its place among the names.
  struct Key {
    std::uint64_t level = 0;
    std::size_t place = 0;
    bool operator==(const Key&) const = default;
  };

  FoldersAhead() = default;
  ~FoldersAhead();

  bool has_room() const { return folders_.size() < kMost; }
  // `parent` is borrowed for the call.
  void ask(const Key& key, int parent, const char* name);
  // What was asked for, if it is still the folder that `info` tells of. Waits when it is being read.
  std::optional<ListedFolder> take(const Key& key, const struct statx& info);
  // Nothing more of this level will be taken.
  void forget(std::uint64_t level);

 private:
  enum class State { kAsked, kReading, kRead };
  struct Ahead {
    Key key;
    UniqueFd parent;
    std::string name;
    State state = State::kAsked;
    std::optional<ListedFolder> listed = {};
  };
  void run();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::list<Ahead> folders_;  // as they were asked for; changed by the owner's thread alone
  bool ending_ = false;
  std::jthread thread_;  // from the first ask() on; the last member: joined first
};

}  // namespace fairlead::volume
