#include "volume/service/moment.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <future>
#include <latch>
#include <vector>

#include "base/fault.h"

namespace fairlead::volume {

namespace {

using How = MomentPart::How;
using Clock = std::chrono::steady_clock;

// How long one transaction is tried for: with volumes held, well within the time for which they are;
// otherwise at least so long and so many times, because on a busy host each takes its time.
constexpr std::chrono::milliseconds kTryHeld{1000}, kTryFree{10000};
constexpr int kTryFreeTimes = 24;
// How often all is begun again: held for too long, or the subvolumes inside were others meanwhile.
constexpr int kMostAttempts = 8;

struct Part {
  const MomentVolume* of;
  std::string name;  // of the volume
  std::unique_ptr<MomentPart> part;
};
using Parts = std::vector<Part>;

Status of(const Part& part, const Status& status) {
  if (status) return {};
  return fail(with_context(status.error(), fmt::format("volume \"{}\"", part.name)));
}

std::vector<const Part*> those(const Parts& parts, How how) {
  std::vector<const Part*> found;
  for (const Part& part : parts)
    if (part.part->how() == how) found.push_back(&part);
  return found;
}

Result<Part> begin(const MomentVolume& one) {
  const std::string& name = one.volume->name.str();
  auto part = one.backend->begin_moment(*one.volume, *one.snapshot);
  if (!part) return fail(with_context(part.error(), fmt::format("volume \"{}\"", name)));
  return Part{.of = &one, .name = name, .part = std::move(*part)};
}

Result<Parts> begin(std::span<const MomentVolume> volumes) {
  Parts parts;
  for (const MomentVolume& one : volumes) {
    TRY(auto part, begin(one));
    parts.push_back(std::move(part));
  }
  return parts;
}

// What rests has its copy, and keeps it.
Status begin_again(Parts& parts) {
  for (Part& one : parts) {
    if (one.part->how() == How::kResting) continue;
    one.part.reset();
    TRY_STATUS(one.of->backend->drop_snapshot(*one.of->volume, one.of->snapshot->id));
    TRY(one, begin(*one.of));
  }
  return {};
}

// Fails because of what may be otherwise in a moment.
bool is_passing(const Error& error) {
  return error.sys_errno == ESTALE || error.sys_errno == EAGAIN;
}

Status refuse_two_file_systems(const std::vector<const Part*>& cuts) {
  for (const Part* const one : cuts)
    if (one->part->cut()->file_system != cuts.front()->part->cut()->file_system)
      return fail(
          Code::kUnsupported,
          "volumes \"{}\" and \"{}\" are in use and on two btrfs file systems, which cannot "
          "be stopped at one moment: stop what uses one of them, keep them in one pool, use "
          "backend=image, or take them one by one, with hooks of the containers that hold what "
          "writes (fairlead.snapshot.pre)",
          cuts.front()->name, one->name);
  return {};
}

// Each in a thread of its own, all let go at once, so that they meet in one transaction.
Status take_side_by_side(const std::vector<const Part*>& cuts) {
  std::latch ready(static_cast<std::ptrdiff_t>(cuts.size()) + 1);
  std::vector<std::future<Status>> taking;
  for (const Part* const one : cuts)
    taking.push_back(std::async(std::launch::async, [one, &ready] {
      ready.arrive_and_wait();
      return of(*one, one->part->take());
    }));
  if (cuts.size() > 1) cuts.front()->part->gather();
  ready.arrive_and_wait();
  Status all;
  for (auto& each : taking)
    if (const auto taken = each.get(); !taken && all) all = taken;
  return all;
}

Result<bool> is_one_moment(const std::vector<const Part*>& cuts) {
  std::uint64_t newest = 0;
  for (const Part* const one : cuts) newest = std::max(newest, one->part->cut()->transaction);
  for (const Part* const one : cuts) {
    TRY(const bool held, one->part->still_held_at(newest));
    if (!held) return false;
  }
  return true;
}

// All that were changed since are taken again, those of the newest transaction as well: without them
// the others would only come into a later one.
Status cut(const std::vector<const Part*>& cuts, std::chrono::milliseconds patience, int rounds) {
  if (cuts.empty()) return {};
  const auto until = Clock::now() + patience;
  for (int round = 1;; ++round) {
    TRY_STATUS(take_side_by_side(cuts));
    TRY(const bool done, is_one_moment(cuts));
    if (done) return {};
    if (round >= rounds && Clock::now() > until)
      return fail(Error{Code::kUnavailable, EAGAIN,
                        "the volumes on btrfs did not come into one transaction: the disk is too "
                        "busy; try again"});
    for (const Part* const one : cuts) TRY_STATUS(of(*one, one->part->take_back()));
  }
}

Status hold_and_take(const std::vector<const Part*>& held, const std::vector<const Part*>& cuts) {
  for (const Part* const one : held) TRY_STATUS(of(*one, one->part->hold()));
  fault_point("volume.group.held");
  TRY_STATUS(held.empty() ? cut(cuts, kTryFree, kTryFreeTimes) : cut(cuts, kTryHeld, 1));
  for (const Part* const one : held) TRY_STATUS(of(*one, one->part->take()));
  return {};
}

Status release(const std::vector<const Part*>& held) {
  Status all;
  for (const Part* const one : held)
    if (auto released = of(*one, one->part->release()); !released && all) all = std::move(released);
  if (all || all.error().code != Code::kUnavailable) return all;
  all.error().sys_errno = EAGAIN;  // they went on too early
  return all;
}

Status take_once(const Parts& parts, const Progress& progress) {
  const auto held = those(parts, How::kHeld), cuts = those(parts, How::kCut);
  for (const auto* const kind : {&cuts, &held})
    for (const Part* const one : *kind) TRY_STATUS(of(*one, one->part->prepare(progress)));
  auto taken = hold_and_take(held, cuts);
  auto released = release(held);
  TRY_STATUS(taken);
  TRY_STATUS(released);
  for (const Part& one : parts) TRY_STATUS(of(one, one.part->verify()));
  return {};
}

}  // namespace

Status take_moment(std::span<const MomentVolume> volumes, const Progress& progress) {
  TRY(auto parts, begin(volumes));
  TRY_STATUS(refuse_two_file_systems(those(parts, How::kCut)));
  for (const Part* const one : those(parts, How::kResting))  // what takes long first
    TRY_STATUS(of(*one, one->part->prepare(progress)));
  auto taken = take_once(parts, progress);
  for (int k = 1; k < kMostAttempts && !taken && is_passing(taken.error()); ++k) {
    if (progress && !progress(0, 0)) return fail(Code::kUnavailable, "it was stopped");
    TRY_STATUS(begin_again(parts));
    taken = take_once(parts, progress);
  }
  TRY_STATUS(taken);
  fault_point("volume.group.taken");
  for (const Part& one : parts) TRY_STATUS(of(one, one.part->finish()));
  return {};
}

}  // namespace fairlead::volume
