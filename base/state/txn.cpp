#include "base/state/txn.h"

#include <algorithm>
#include <unordered_set>

#include "base/host.h"

namespace fairlead::state {

namespace {

bool printable(char c) { return c >= 0x20 && c <= 0x7e; }

// A key that may hold anything, made fit for a message.
std::string shown(std::string_view key) {
  std::string text(key.substr(0, 64));
  std::ranges::replace_if(
      text, [](char c) { return !printable(c); }, '?');
  return text;
}

Status check_key(std::string_view key) {
  if (is_key(key)) return {};
  return fail(Code::kInvalid,
              "\"{}\" is not a key of the state store: it must be 1 to {} bytes of printable ASCII",
              shown(key), kMostKeyBytes);
}

}  // namespace

bool is_key(std::string_view text) {
  return !text.empty() && text.size() <= kMostKeyBytes && std::ranges::all_of(text, printable);
}

Status validate(const Txn& txn) {
  if (txn.puts.size() + txn.deletes.size() > kMostChanges)
    return fail(Code::kInvalid, "a transaction of the state store holds at most {} changes, not {}",
                kMostChanges, txn.puts.size() + txn.deletes.size());
  std::unordered_set<std::string_view> changed;
  const auto check_change = [&](std::string_view key) -> Status {
    TRY_STATUS(check_key(key));
    if (changed.insert(key).second) return {};
    return fail(Code::kInvalid, "a transaction of the state store changes {} twice", key);
  };
  for (const Precondition& precondition : txn.preconditions)
    TRY_STATUS(check_key(precondition.key));
  for (const Put& put : txn.puts) {
    TRY_STATUS(check_change(put.key));
    if (put.value.size() > kMostValueBytes)
      return fail(Code::kInvalid, "the value of {} has {} bytes; the state store takes at most {}",
                  put.key, put.value.size(), kMostValueBytes);
  }
  for (const std::string& key : txn.deletes) TRY_STATUS(check_change(key));
  return {};
}

Status validate_time_to_live(std::chrono::seconds time_to_live) {
  if (time_to_live >= std::chrono::seconds(1) && time_to_live <= kLongestLease) return {};
  return fail(Code::kInvalid, "a lease lasts 1 to {} seconds, not {}", kLongestLease.count(),
              time_to_live.count());
}

Error lease_is_gone(LeaseId lease) {
  return {Code::kNotFound, 0, fmt::format("lease {:x} is gone; grant another one", lease)};
}

Error conflict(const Precondition& wanted, std::int64_t found) {
  if (found == kAbsent)
    return {Code::kConflict, 0, fmt::format("{} was removed meanwhile", wanted.key)};
  if (wanted.revision == kAbsent)
    return {Code::kConflict, 0, fmt::format("{} exists already", wanted.key)};
  return {Code::kConflict, 0,
          fmt::format("{} was changed meanwhile (revision {}, expected {})", wanted.key, found,
                      wanted.revision)};
}

Error forgotten_before(long long oldest) {
  return {Code::kConflict, 0,
          fmt::format("what happened before {} is forgotten", rfc3339(oldest / 1000 + 1))};
}

std::string prefix_end(std::string_view prefix) {
  std::string end(prefix);
  while (!end.empty() && static_cast<unsigned char>(end.back()) == 0xff) end.pop_back();
  if (!end.empty()) end.back() = static_cast<char>(static_cast<unsigned char>(end.back()) + 1);
  return end;
}

}  // namespace fairlead::state
