// CNI's verbs over the NetworkService. Environment, stdin and namespaces are injected; stdout,
// stderr and the exit code are returned as a value, so that a test needs no process.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "network/api/service.h"
#include "plugin-api/cni/codec.h"
#include "plugin-api/cni/ipam.h"
#include "plugin-api/http/held_netns.h"

namespace fairlead::cni {

using NetnsOpener = http::NetnsOpener;

struct Call {
  Environment environment;
  std::string input;  // stdin
  NetnsOpener netns;
  // Whether the caller has given up, so that nobody will read the outcome.
  std::function<bool()> hung_up = [] { return false; };
  // Runs the IPAM plugin of a request that has one, with this call's environment and input. Only the
  // process that the runtime has started has its environment; elsewhere (nullptr) such requests are not
  // performed.
  RunPlugin run_plugin = nullptr;
};

struct Outcome {
  int exit_code = 0;
  std::string out;  // for stdout: JSON, or empty
  std::string err;  // for stderr: text for people

  bool operator==(const Outcome&) const = default;
};

// Runs the call.
//
//   ADD      opens the namespace first (kNetns when it is missing or the plugin's own), makes the
//            network unless it exists, attaches. After a killed ADD the runtime calls DEL; a second
//            ADD without one is kExists, unless it is the same call once more: then the answer
//            was lost, and it is the same again. What was attached for a caller that has hung up meanwhile
//            is undone.
//            Where another IPAM plugin gives the addresses, the link is made first, since such a plugin may work
//            through it, and an ADD that was killed before its end is begun anew.
//   DEL      waits for an ADD of the same attachment that is under way; it succeeds whatever is
//            missing: namespace, network, endpoint, prevResult.
//   CHECK    compares prevResult with what is there.
//   GC       frees what is not in the list of valid attachments; without a list it does nothing.
//   STATUS   fails with kNotAvailable when the state cannot be read or the network to join does not
//            exist.
//
// Without CNI_COMMAND it prints the version on stderr.
Outcome run(const Call& call, network::NetworkService& service);

// The two halves of run(), for a caller that opens the service only when the call is well-formed.
struct Prepared {
  std::optional<Request> request;  // std::nullopt: `outcome` is final
  Outcome outcome;
};
Prepared prepare(const Call& call);
Outcome perform(const Request& request, const Call& call, network::NetworkService& service);

// The outcome of a call that failed before it was prepared; `input` is what was read of stdin.
Outcome refused(const Failure& failure, std::string_view input);

// The outcome when the service itself cannot be opened.
Outcome unavailable(const Request& request, const Error& error);

}  // namespace fairlead::cni
