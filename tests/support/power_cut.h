// A disk whose power can be cut: a file system in a sparse file, mounted in a mount namespace of
// the test's own. It can be shut down at any moment from any thread, by the ioctl GOINGDOWN of ext4
// and xfs without flushing the log. What was not flushed is lost then, and every call fails with
// EIO. After restore() the disk is as after a reboot.
//
//   PowerCutDisk disk("xfs", 2ULL << 30);
//   if (!disk.ok()) GTEST_SKIP() << disk.why();
//   run the service with its state and its volumes below disk.path(), with a PowerCut pending;
//   destroy the service; disk.restore(); make a new one; reconcile; compare.
//
// A result that is returned after the cut has begun does not count, whatever it is: on a file
// system that was shut down some calls succeed (fsync(2) of a folder on xfs). Call has_begun()
// after each result.
//
// The verbs under test run in this process. A test has to keep in memory only what it needs itself,
// such as the list of what was acknowledged.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/unique_fd.h"
#include "tests/volume/scratch.h"
#include "volume/kernel/loop.h"

namespace fairlead::testing {

// A long sequence of random cuts goes over xfs and ext4 in turn: each gets half of `all` cuts with a
// seed of its own. (A cut cannot go to the one and the next cut to the other: each begins with what
// the one before left on the disk.) FAIRLEAD_POWER_CUTS=all makes `all` cuts over each of them, and
// FAIRLEAD_POWER_CUTS=<n> that many; FAIRLEAD_POWER_CUT_SEED=<n> takes others.
unsigned power_cuts(unsigned all);
unsigned power_cut_seed(const std::string& type);
// So that no kind of cut is rare over one of them, verbs under which the power was never cut come
// first: leaves only these in `verbs` when there are some.
void prefer_uncut(std::vector<std::string>& verbs, const std::map<std::string, unsigned>& cuts);

class PowerCutDisk {
 public:
  // `type` is "xfs" or "ext4". The calling thread moves to a mount namespace of its own, so the
  // test has to start its threads after this. The file is in memory.
  PowerCutDisk(const std::string& type, std::uint64_t size);
  PowerCutDisk(const PowerCutDisk&) = delete;
  ~PowerCutDisk();

  bool ok() const { return why_.empty(); }
  const std::string& why() const { return why_; }
  std::string path() const { return scratch_ / "disk"; }

  void cut();  // thread-safe
  // Turns the power on again: unmounts whatever is mounted beneath, waits until its loop devices
  // are gone, and mounts the disk again. Without a cut before it is a clean restart. Fails the
  // test, listing what is still held, when something leaked.
  bool restore();
  // Whether e2fsck(8), which a host runs when it starts, could not repair the file system; nothing
  // is mounted then. No call of a program may damage a file system so, but shutting ext4 down in
  // the middle of its own writes does, once in thousands of times ("Structure needs cleaning"). The
  // test has to take another disk.
  bool is_broken() const { return is_broken_; }

 private:
  bool make(const std::string& type, std::uint64_t size);
  bool mount();
  bool unmount_all();
  void check();

  volume::testing::Scratch scratch_{volume::testing::Where::kMemory};
  std::string type_, why_;
  std::optional<volume::Loop> loop_;
  UniqueFd root_;  // of the mounted disk
  bool is_broken_ = false;
  std::mutex guard_;
};

// Cuts the power of a disk once, `after` this time from now, unless call_off() is called before.
class PowerCut {
 public:
  PowerCut(PowerCutDisk& disk, std::chrono::microseconds after);
  PowerCut(const PowerCut&) = delete;
  ~PowerCut() { call_off(); }
  bool has_begun() const { return begun_; }
  // Waits for the thread. Returns whether the power was cut.
  bool call_off();

 private:
  std::mutex guard_;
  std::condition_variable changed_;
  bool called_off_ = false;
  std::atomic<bool> begun_ = false;
  std::thread thread_;
};

}  // namespace fairlead::testing
