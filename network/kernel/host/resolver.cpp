#include "network/kernel/host/resolver.h"

#include <arpa/nameser.h>
#include <netdb.h>
#include <netinet/in.h>
#include <resolv.h>

#include <algorithm>
#include <array>

namespace fairlead::kernel {

namespace {

constexpr std::size_t kMostAnswer = 64 << 10;
// Of each server; that is some seconds for all of them.
constexpr int kSeconds = 1, kTries = 2;
constexpr std::chrono::seconds kLongestTtl{86'400};

// One state for each question: /etc/resolv.conf is read anew, which costs less than the question.
class State {
 public:
  State() : ready_(res_ninit(&state_) == 0) {
    state_.retrans = kSeconds;
    state_.retry = kTries;
    // A name is asked for as it is written, and never below a search domain.
    state_.options &= ~static_cast<unsigned long>(RES_DNSRCH | RES_DEFNAMES);
  }
  ~State() {
    if (ready_) res_nclose(&state_);
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  Status ask(const std::string& name, int type, ResolvedName& into) {
    if (!ready_) return fail(Code::kUnavailable, "/etc/resolv.conf cannot be read");
    std::vector<std::uint8_t> answer(kMostAnswer);
    const int size = res_nquery(&state_, name.c_str(), ns_c_in, type, answer.data(),
                                static_cast<int>(answer.size()));
    if (size >= 0)
      return read_answer({answer.data(), std::min(static_cast<std::size_t>(size), answer.size())},
                         into);
    switch (state_.res_h_errno) {
      case HOST_NOT_FOUND:
        return fail(Code::kNotFound, "there is no name {}", name);
      case NO_DATA:
        return {};
      default:
        return fail(Code::kUnavailable, "no name server of the host has answered for {}", name);
    }
  }

 private:
  struct __res_state state_ {};
  const bool ready_;
};

class SystemResolver : public Resolver {
 public:
  Result<ResolvedName> resolve(const std::string& name) override {
    ResolvedName resolved{.addresses = {}, .ttl = kLongestTtl};
    State state;
    TRY_STATUS(state.ask(name, ns_t_a, resolved));
    TRY_STATUS(state.ask(name, ns_t_aaaa, resolved));
    std::ranges::sort(resolved.addresses);
    resolved.addresses.erase(std::unique(resolved.addresses.begin(), resolved.addresses.end()),
                             resolved.addresses.end());
    return resolved;
  }
};

}  // namespace

Status read_answer(std::span<const std::uint8_t> message, ResolvedName& into) {
  ns_msg handle{};
  if (ns_initparse(message.data(), static_cast<int>(message.size()), &handle) < 0)
    return fail(Code::kInvalid, "the answer of the name server cannot be read");
  for (int i = 0; i < ns_msg_count(handle, ns_s_an); ++i) {
    ns_rr record{};
    if (ns_parserr(&handle, ns_s_an, i, &record) < 0)
      return fail(Code::kInvalid, "the answer of the name server cannot be read");
    if (ns_rr_class(record) != ns_c_in) continue;
    into.ttl = std::min(into.ttl, std::chrono::seconds(ns_rr_ttl(record)));
    const std::span<const std::uint8_t> data(ns_rr_rdata(record), ns_rr_rdlen(record));
    if (ns_rr_type(record) == ns_t_a && data.size() == 4)
      into.addresses.push_back(IpAddress::from_bytes(Family::kV4, data));
    if (ns_rr_type(record) == ns_t_aaaa && data.size() == 16)
      into.addresses.push_back(IpAddress::from_bytes(Family::kV6, data));
  }
  return {};
}

std::unique_ptr<Resolver> make_resolver() { return std::make_unique<SystemResolver>(); }

}  // namespace fairlead::kernel
