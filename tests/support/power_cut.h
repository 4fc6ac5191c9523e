// A disk whose power can be cut: a file system in a sparse file, mounted in a mount namespace of
// the test's own, that can be shut down at any moment from any thread (the ioctl GOINGDOWN of ext4
// and xfs, without flushing the log): what was not flushed is gone, every call fails with EIO, and
// after restore() it is there as after a reboot.
//
//   PowerCutDisk disk("xfs", 2ULL << 30);
//   if (!disk.ok()) GTEST_SKIP() << disk.why();
//   run the service with its state and its volumes below disk.path(), with a PowerCut pending;
//   destroy the service; disk.restore(); make a new one; reconcile; compare.
//
// An answer that is given after the cut has begun was never heard by anybody, whatever it says: on
// a file system that was shut down some calls succeed (fsync(2) of a folder on xfs). Ask
// has_begun() after each answer.
//
// The verbs under test run in this process: what survives in memory is what the test keeps itself,
// as the list of what was acknowledged.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "base/unique_fd.h"
#include "tests/volume/scratch.h"
#include "volume/kernel/loop.h"

namespace fairlead::testing {

class PowerCutDisk {
 public:
  // `type`: "xfs" or "ext4". The calling thread moves to a mount namespace of its own: threads of
  // the test are to be started after this. The file is in memory.
  PowerCutDisk(const std::string& type, std::uint64_t size);
  PowerCutDisk(const PowerCutDisk&) = delete;
  ~PowerCutDisk();

  bool ok() const { return why_.empty(); }
  const std::string& why() const { return why_; }
  std::string path() const { return scratch_ / "disk"; }

  void cut();  // thread-safe
  // The power is back: whatever is mounted beneath is unmounted, its loop devices are gone, and the
  // disk is mounted again. Without a cut before it, a clean restart. Fails the test, with what is
  // still held, when something leaked.
  bool restore();
  // Then nothing is mounted: e2fsck(8), which a host runs when it starts, could not make it whole.
  // No call of a program may do that to a file system; cutting ext4 off in the middle of its own
  // writes does, once in thousands of times ("Structure needs cleaning"). Take another disk.
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

// Cuts the power of a disk once, `after` this time from now, unless it is called off before.
class PowerCut {
 public:
  PowerCut(PowerCutDisk& disk, std::chrono::microseconds after);
  PowerCut(const PowerCut&) = delete;
  ~PowerCut() { call_off(); }
  bool has_begun() const { return begun_; }
  // Waits for the thread; true when the power was cut.
  bool call_off();

 private:
  std::mutex guard_;
  std::condition_variable changed_;
  bool called_off_ = false;
  std::atomic<bool> begun_ = false;
  std::thread thread_;
};

}  // namespace fairlead::testing
