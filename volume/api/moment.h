// MomentPart: what one volume does for a snapshot of several volumes at one moment. The order of
// the calls, over all volumes, is that of service/moment.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"
#include "volume/api/types.h"

namespace fairlead::volume {

// Made by Backend::begin_moment() under the lock of the volume, which is held as long as the part
// lives. Destroyed without finish() it leaves at most what Backend::drop_snapshot() removes, and
// nothing stopped. One thread, except for take().
class MomentPart {
 public:
  enum class How {
    kResting,  // nobody can write: prepare() does all of the work
    kHeld,     // between hold() and release() nobody can write
    kCut,      // nobody is stopped: what take() made in the same transaction is one moment
  };
  // Where and when a snapshot of kCut was made. Two of one transaction are of one moment.
  struct Cut {
    std::string file_system;
    std::uint64_t transaction = 0;  // they count upwards
  };

  virtual ~MomentPart() = default;
  virtual How how() const = 0;
  // What may take long, while everybody may still write: a copy of what rests, flushing.
  virtual Status prepare(const Progress& progress) = 0;
  // kHeld: stops all writers, for at most 2 s; fails when it cannot.
  virtual Status hold() { return {}; }
  // kHeld: while it is held. kCut: from a thread of its own, beside those of other parts, what is
  // not taken; may be called again after take_back().
  virtual Status take() { return {}; }
  // kCut: what was changed since it was taken is to be taken again.
  virtual Status take_back() { return {}; }
  // kHeld: lets the writers go on. kUnavailable when they went on earlier, so that what was taken
  // is not one moment.
  virtual Status release() { return {}; }
  // When nobody is held any more: whether what was taken is whole. ESTALE (sys_errno): it changed
  // its shape meanwhile, and is to be begun again; so may prepare() and take() fail.
  virtual Status verify() { return {}; }
  // Makes what was taken last, under its name.
  virtual Status finish() { return {}; }
  // kCut: where the volume is, before take(); with the transaction, after it.
  virtual std::optional<Cut> cut() const { return std::nullopt; }
  // kCut: whether the volume still held what was taken at the end of that transaction, which is a
  // later one and has ended.
  virtual Result<bool> still_held_at(std::uint64_t transaction) {
    return cut() && cut()->transaction == transaction;
  }
  // kCut: makes it likely that what begins now comes into one transaction: keeps the next one open
  // while the present one is written.
  virtual void gather() {}
};

}  // namespace fairlead::volume
