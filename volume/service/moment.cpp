#include "volume/service/moment.h"

#include <algorithm>
#include <chrono>
#include <future>
#include <latch>
#include <vector>

#include "base/fault.h"

namespace fairlead::volume {

namespace {

using How = MomentPart::How;
using Clock = std::chrono::steady_clock;

// How long one transaction is tried for: with volumes held, well within the time for which they
// are.
constexpr std::chrono::milliseconds kTryHeld{1000}, kTryFree{10000};

struct Part {
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

Result<Parts> begin(std::span<const MomentVolume> volumes) {
  Parts parts;
  for (const MomentVolume& one : volumes) {
    auto part = one.backend->begin_moment(*one.volume, *one.snapshot);
    if (!part)
      return fail(with_context(part.error(), fmt::format("volume \"{}\"", one.volume->name.str())));
    parts.push_back({one.volume->name.str(), std::move(*part)});
  }
  return parts;
}

Status refuse_two_file_systems(const std::vector<const Part*>& cuts) {
  for (const Part* const one : cuts)
    if (one->part->cut()->file_system != cuts.front()->part->cut()->file_system)
      return fail(
          Code::kUnsupported,
          "volumes \"{}\" and \"{}\" are in use and on two btrfs file systems, which cannot "
          "be stopped at one moment: stop what uses one of them, keep them in one pool, or "
          "use backend=image",
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

// Those that are not of the moment of the newest one.
Result<std::vector<const Part*>> of_another_moment(const std::vector<const Part*>& cuts) {
  std::uint64_t newest = 0;
  for (const Part* const one : cuts) newest = std::max(newest, one->part->cut()->transaction);
  std::vector<const Part*> found;
  for (const Part* const one : cuts) {
    TRY(const bool held, one->part->still_held_at(newest));
    if (!held) found.push_back(one);
  }
  return found;
}

Status cut(const std::vector<const Part*>& cuts, std::chrono::milliseconds patience) {
  const auto until = Clock::now() + patience;
  std::vector<const Part*> missing = cuts;
  while (!missing.empty()) {
    TRY_STATUS(take_side_by_side(missing));
    TRY(missing, of_another_moment(cuts));
    if (!missing.empty() && Clock::now() > until)
      return fail(Code::kUnavailable,
                  "the volumes on btrfs did not come into one transaction: the disk is too busy; "
                  "try again");
    for (const Part* const one : missing) TRY_STATUS(of(*one, one->part->take_back()));
  }
  return {};
}

Status hold_and_take(const std::vector<const Part*>& held, const std::vector<const Part*>& cuts) {
  for (const Part* const one : held) TRY_STATUS(of(*one, one->part->hold()));
  fault_point("volume.group.held");
  TRY_STATUS(cut(cuts, held.empty() ? kTryFree : kTryHeld));
  for (const Part* const one : held) TRY_STATUS(of(*one, one->part->take()));
  return {};
}

}  // namespace

Status take_moment(std::span<const MomentVolume> volumes, const Progress& progress) {
  TRY(const auto parts, begin(volumes));
  const auto resting = those(parts, How::kResting), held = those(parts, How::kHeld),
             cuts = those(parts, How::kCut);
  TRY_STATUS(refuse_two_file_systems(cuts));
  for (const auto* const kind : {&resting, &cuts, &held})  // what takes long first
    for (const Part* const one : *kind) TRY_STATUS(of(*one, one->part->prepare(progress)));
  auto taken = hold_and_take(held, cuts);
  for (const Part* const one : held)
    if (const auto released = of(*one, one->part->release()); !released && taken) taken = released;
  TRY_STATUS(taken);
  fault_point("volume.group.taken");
  for (const Part& one : parts) TRY_STATUS(of(one, one.part->finish()));
  return {};
}

}  // namespace fairlead::volume
