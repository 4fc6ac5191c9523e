#include "network/cluster/fence.h"

#include <algorithm>

#include "network/cluster/keys.h"

namespace fairlead::network::cluster {

namespace {

Error removed(std::string_view host_id) {
  return {
      Code::kConflict, 0,
      fmt::format("this host ({}) was removed from the cluster; its endpoints are void until it "
                  "has joined again",
                  host_id.substr(0, 12))};
}

}  // namespace

bool is_unreachable(const Error& error) {
  return error.code == Code::kUnavailable || error.code == Code::kIo;
}

RecordedMembership recorded_membership(const std::optional<Stored<HostRecord>>& host,
                                       std::uint64_t epoch) {
  if (epoch == 0) return RecordedMembership::kMember;
  if (!host || host->value.epoch < epoch) return RecordedMembership::kForgotten;
  if (host->value.epoch > epoch) return RecordedMembership::kRemoved;
  // The record says that the host was removed, but with an epoch that the host already knows: it is
  // from the time before the host joined again.
  return host->value.phase == HostPhase::kRemoved ? RecordedMembership::kForgotten
                                                  : RecordedMembership::kMember;
}

Fence::Fence(state::Store& shared, state::Store& local, std::string host_id, Clock clock)
    : shared_(shared),
      local_(local),
      host_id_(std::move(host_id)),
      clock_(clock),
      rollback_detector_(shared, local, std::move(clock)) {}

Status Fence::check() {
  {
    const std::scoped_lock hold(guard_);
    if (closed_) return fail(removed(host_id_));
    if (refusal_) return fail(*refusal_);
    if (proof_ && clock_.running() < proof_->at + kLiveSeconds) return {};
  }
  return check_again();
}

Status Fence::check_again() {
  auto asked = ask();
  if (asked || !is_unreachable(asked.error())) return asked;
  return {};
}

Status Fence::ask() {
  TRY_STATUS(may_write());
  const auto before = clock_.running();
  TRY(const auto own, epoch());
  TRY(const auto host, read<HostRecord>(shared_, keys::host(host_id_)));
  const RecordedMembership recorded = recorded_membership(host, own);
  if (recorded == RecordedMembership::kForgotten)
    return fail(Code::kUnavailable,
                "the shared store was put back to a state in which it does not know this host; it "
                "is told at the next heartbeat");
  const std::scoped_lock hold(guard_);
  if (recorded == RecordedMembership::kRemoved) {
    closed_ = true;
    return fail(removed(host_id_));
  }
  if (!proof_) proof_ = Proof{.epoch = own, .host_revision = host->revision};
  proof_->at = std::max(proof_->at, before);
  return {};
}

Status Fence::may_write() {
  const std::scoped_lock hold(guard_);
  return refusal_ ? Status(fail(*refusal_)) : Status();
}

Result<std::vector<state::Precondition>> Fence::of_record() {
  const std::scoped_lock hold(guard_);
  if (closed_) return fail(removed(host_id_));
  if (refusal_) return fail(*refusal_);
  if (!proof_ || !joined_)
    return fail(Code::kUnavailable, "this host has not joined the cluster yet");
  return std::vector<state::Precondition>{{keys::host(host_id_), proof_->host_revision}};
}

Result<std::vector<state::Precondition>> Fence::of_life() {
  TRY(auto wanted, of_record());
  const std::scoped_lock hold(guard_);
  if (proof_->live_revision == state::kAbsent)
    return fail(Code::kUnavailable,
                "this host's lease in the cluster has run out and is being renewed; try again");
  wanted.push_back({keys::live(host_id_), proof_->live_revision});
  return wanted;
}

Result<std::uint64_t> Fence::epoch() {
  {
    const std::scoped_lock hold(guard_);
    if (proof_ && !closed_) return proof_->epoch;
  }
  TRY(const auto member, read<MemberRecord>(local_, keys::kMember));
  return member ? member->value.epoch : 0;
}

void Fence::prove(const Proof& proof) {
  const std::scoped_lock hold(guard_);
  proof_ = proof;
  refusal_.reset();
  joined_ = true;
  closed_ = false;
}

void Fence::close() {
  const std::scoped_lock hold(guard_);
  closed_ = true;
}

void Fence::lose_life() {
  const std::scoped_lock hold(guard_);
  if (proof_) proof_->live_revision = state::kAbsent;
}

void Fence::refuse(Error why) {
  const std::scoped_lock hold(guard_);
  refusal_ = std::move(why);
  joined_ = false;
  if (proof_) proof_->live_revision = state::kAbsent;
}

bool Fence::is_closed() {
  const std::scoped_lock hold(guard_);
  return closed_;
}

}  // namespace fairlead::network::cluster
