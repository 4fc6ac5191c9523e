#include "plugin-api/docker/docker_handler.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <chrono>
#include <memory>
#include <mutex>
#include <tuple>

#include "base/log.h"
#include "plugin-api/docker/ipam_adapter.h"
#include "plugin-api/docker/network_adapter.h"
#include "plugin-api/docker/volume_adapter.h"

namespace fairlead::docker {

namespace {

constexpr std::string_view kContentType = "application/vnd.docker.plugins.v1.2+json";

using Adapters = std::tuple<NetworkAdapter, IpamAdapter, VolumeAdapter>;

// The state of one request while it is handled.
struct Call {
  std::string_view body;
  const std::function<bool()>& hung_up;
  std::string object;    // a short name of the object it is about, for the log
  bool decoded = false;  // a failure before this is the client's fault
};

// ---- the object of a request

std::string short_id(std::string_view id) { return std::string(id.substr(0, 12)); }

template <class Request>
std::string object_of(const Request& request) {
  if constexpr (requires { request.endpoint_id; })
    return short_id(request.network_id) + "/" + short_id(request.endpoint_id);
  else if constexpr (requires { request.network_id; })
    return short_id(request.network_id);
  else if constexpr (requires { request.pool_id; })
    return request.pool_id;
  else if constexpr (requires { request.subnet; })
    return request.subnet ? request.subnet->to_string() : "any pool";
  else if constexpr (requires { request.name; })
    return request.name.substr(0, 128);
  else
    return "";
}

// ---- verbs

tl::unexpected<Error> nobody_waits() {
  return fail(Code::kUnavailable, "the client hung up: nothing was done");
}

// The request by which a verb is undone.
EndpointRequest undoing(const CreateEndpointRequest& request) {
  return {.network_id = request.network_id, .endpoint_id = request.endpoint_id};
}
const EndpointRequest& undoing(const EndpointRequest& request) { return request; }
const MountRequest& undoing(const MountRequest& request) { return request; }

template <class Adapter, class Answer, class Request>
Adapter adapter_type(Answer (Adapter::*)(const Request&));

// Decodes the request, runs the verb and encodes its value; for a Status the response is {}.
// What `Undo` takes back is not done for a client that has hung up: it does not know of it, and
// would never ask for its removal.
template <auto Decode, auto Act, auto Undo = nullptr>
Result<std::string> act(Adapters& adapters, Call& call) {
  TRY(const auto request, Decode(call.body));
  call.decoded = true;
  call.object = object_of(request);
  auto& adapter = std::get<decltype(adapter_type(Act))>(adapters);
  constexpr bool kUndone = !std::is_null_pointer_v<decltype(Undo)>;
  if (kUndone && call.hung_up()) return nobody_waits();
  if constexpr (std::is_same_v<decltype((adapter.*Act)(request)), Status>) {
    TRY_STATUS((adapter.*Act)(request));
    return std::string("{}");
  } else {
    TRY(const auto answer, (adapter.*Act)(request));
    if constexpr (kUndone) {
      if (call.hung_up()) {
        TRY_STATUS((adapter.*Undo)(undoing(request)));
        return nobody_waits();
      }
    }
    return encode(answer);
  }
}

Result<std::string> activate(Adapters&, Call&) {
  return std::string(R"({"Implements":["NetworkDriver","IpamDriver","VolumeDriver"]})");
}

Result<std::string> network_capabilities(Adapters&, Call&) {
  return std::string(R"({"Scope":"local","ConnectivityScope":"local"})");
}

// Fairlead keeps pools and leases itself, so Docker need not request them again when it starts.
Result<std::string> ipam_capabilities(Adapters&, Call&) {
  return std::string(R"({"RequiresMACAddress":false,"RequiresRequestReplay":false})");
}

Result<std::string> address_spaces(Adapters&, Call&) {
  return fmt::format(R"({{"LocalDefaultAddressSpace":"{}","GlobalDefaultAddressSpace":"{}"}})",
                     kLocalSpace, kGlobalSpace);
}

Result<std::string> volume_capabilities(Adapters&, Call&) {
  return std::string(R"({"Capabilities":{"Scope":"local"}})");
}

// Called when nodes of a swarm come and go, which means nothing to a network of scope local.
Result<std::string> acknowledge(Adapters&, Call&) { return std::string("{}"); }

Result<std::string> refuse_swarm(Adapters&, Call& call) {
  call.decoded = true;
  return fail(
      Code::kUnsupported,
      "networks of swarm scope are not supported: Docker takes them from managed plugins only; "
      "make the network on each host with docker network create -d fairlead --scope local");
}

// ---- the route table

enum class Body { kNeeded, kNotLookedAt };
enum class Effect { kReads, kChanges };

using http::Work;

struct Verb {
  std::string_view name;
  Body body;
  Effect effect;
  Result<std::string> (*run)(Adapters&, Call&);
  Work work = Work::kNetwork;
};

using N = NetworkAdapter;
using I = IpamAdapter;
using V = VolumeAdapter;

constexpr auto kVerbs = std::to_array<Verb>({
    {"Plugin.Activate", Body::kNotLookedAt, Effect::kReads, activate},

    {"NetworkDriver.GetCapabilities", Body::kNotLookedAt, Effect::kReads, network_capabilities},
    {"NetworkDriver.CreateNetwork", Body::kNeeded, Effect::kChanges,
     act<decode_create_network, &N::create_network>},
    {"NetworkDriver.DeleteNetwork", Body::kNeeded, Effect::kChanges,
     act<decode_network, &N::delete_network>},
    {"NetworkDriver.CreateEndpoint", Body::kNeeded, Effect::kChanges,
     act<decode_create_endpoint, &N::create_endpoint, &N::delete_endpoint>},
    {"NetworkDriver.DeleteEndpoint", Body::kNeeded, Effect::kChanges,
     act<decode_endpoint, &N::delete_endpoint>},
    {"NetworkDriver.EndpointOperInfo", Body::kNeeded, Effect::kReads,
     act<decode_endpoint, &N::operational_info>},
    {"NetworkDriver.Join", Body::kNeeded, Effect::kChanges,
     act<decode_endpoint, &N::join, &N::leave>},
    {"NetworkDriver.Leave", Body::kNeeded, Effect::kChanges, act<decode_endpoint, &N::leave>},
    {"NetworkDriver.ProgramExternalConnectivity", Body::kNeeded, Effect::kChanges,
     act<decode_ports, &N::program>},
    {"NetworkDriver.RevokeExternalConnectivity", Body::kNeeded, Effect::kChanges,
     act<decode_endpoint, &N::revoke>},
    {"NetworkDriver.DiscoverNew", Body::kNotLookedAt, Effect::kReads, acknowledge},
    {"NetworkDriver.DiscoverDelete", Body::kNotLookedAt, Effect::kReads, acknowledge},
    {"NetworkDriver.AllocateNetwork", Body::kNeeded, Effect::kChanges, refuse_swarm},
    {"NetworkDriver.FreeNetwork", Body::kNeeded, Effect::kChanges, refuse_swarm},

    {"IpamDriver.GetCapabilities", Body::kNotLookedAt, Effect::kReads, ipam_capabilities},
    {"IpamDriver.GetDefaultAddressSpaces", Body::kNotLookedAt, Effect::kReads, address_spaces},
    {"IpamDriver.RequestPool", Body::kNeeded, Effect::kChanges,
     act<decode_request_pool, &I::request_pool>},
    {"IpamDriver.ReleasePool", Body::kNeeded, Effect::kChanges, act<decode_pool, &I::release_pool>},
    {"IpamDriver.RequestAddress", Body::kNeeded, Effect::kChanges,
     act<decode_request_address, &I::request_address>},
    {"IpamDriver.ReleaseAddress", Body::kNeeded, Effect::kChanges,
     act<decode_release_address, &I::release_address>},

    {"VolumeDriver.Capabilities", Body::kNotLookedAt, Effect::kReads, volume_capabilities},
    {"VolumeDriver.Create", Body::kNeeded, Effect::kChanges, act<decode_create_volume, &V::create>,
     Work::kWaiting},
    {"VolumeDriver.Remove", Body::kNeeded, Effect::kChanges, act<decode_volume, &V::remove>,
     Work::kWaiting},
    {"VolumeDriver.Mount", Body::kNeeded, Effect::kChanges,
     act<decode_mount, &V::mount, &V::unmount>, Work::kWaiting},
    {"VolumeDriver.Unmount", Body::kNeeded, Effect::kChanges, act<decode_mount, &V::unmount>,
     Work::kWaiting},
    {"VolumeDriver.Path", Body::kNeeded, Effect::kReads, act<decode_volume, &V::path>,
     Work::kVolume},
    {"VolumeDriver.Get", Body::kNeeded, Effect::kReads, act<decode_volume, &V::get>, Work::kVolume},
    {"VolumeDriver.List", Body::kNotLookedAt, Effect::kReads, act<decode_nothing, &V::list>,
     Work::kVolume},
});

const Verb* find_verb(std::string_view path) {
  return path.starts_with('/') ? std::ranges::find(kVerbs, path.substr(1), &Verb::name)
                               : kVerbs.end();
}

// ---- responses

http::Response answer(int status, std::string body) {
  return {.status = status,
          .content_type = std::string(kContentType),
          .body = std::move(body),
          .headers = {}};
}

http::Response refuse(int status, std::string_view text) {
  return answer(status, encode_error(text));
}

bool is_blank(std::string_view text) {
  return text.find_first_not_of(" \t\r\n") == std::string_view::npos;
}

// A failed change is logged as a warning. A failed read is not: a Get for a volume that does not
// exist is normal. What was done to networks and endpoints is told by the core, in one line with
// names, and not by each of the half a dozen requests that it takes Docker.
log::Level level_of(const Verb& verb, const http::Response& response) {
  if (verb.effect == Effect::kReads) return log::Level::kDebug;
  if (response.status != 200) return log::Level::kWarn;
  return verb.name.starts_with("VolumeDriver.") ? log::Level::kInfo : log::Level::kDebug;
}

// after that only the 16th, the 32nd ... are written
constexpr std::uint64_t kWrittenRepetitions = 8;

// Keeps a runtime that repeats a request over and over from filling the disk with log lines.
class Repetitions {
 public:
  // How often this line has come in a row.
  std::uint64_t count(std::string line) {
    const std::lock_guard lock(mutex_);
    if (line != last_) times_ = 0;
    last_ = std::move(line);
    return ++times_;
  }

 private:
  std::mutex mutex_;
  std::string last_;
  std::uint64_t times_ = 0;
};

class DockerHandler {
 public:
  DockerHandler(network::NetworkService& networks, network::PoolService& pools,
                volume::VolumeService& volumes)
      : adapters_(networks, pools, volumes) {}

  http::Response handle(const http::Request& request) {
    if (request.method != "POST") {
      http::Response refused = refuse(405, "only POST is spoken here");
      refused.headers["Allow"] = "POST";
      return refused;
    }
    const std::string_view path = request.path;
    const auto* verb = find_verb(path);
    if (verb == kVerbs.end()) {
      log::debug("unknown docker method", {{"path", path.substr(0, 128)}});
      return refuse(404, fmt::format("there is no method {}", path.substr(0, 128)));
    }
    return run(*verb, request);
  }

 private:
  http::Response run(const Verb& verb, const http::Request& request) {
    const auto start = std::chrono::steady_clock::now();
    Call call{.body = request.body, .hung_up = request.hung_up, .object = {}};
    std::string outcome = "ok";
    const http::Response response = answer_to(verb, call, outcome);
    const log::Level level = level_of(verb, response);
    if (log::enabled(level)) {
      const std::chrono::duration<double, std::milli> took =
          std::chrono::steady_clock::now() - start;
      write_line(level, verb, call, std::move(outcome), fmt::format("{:.2f}", took.count()));
    }
    return response;
  }

  void write_line(log::Level level, const Verb& verb, const Call& call, std::string outcome,
                  const std::string& milliseconds) {
    const std::uint64_t id = ++requests_;
    const std::uint64_t times =
        repetitions_.count(fmt::format("{} {} {}", verb.name, call.object, outcome));
    if (times > kWrittenRepetitions) {
      if (!std::has_single_bit(times)) return;
      outcome += fmt::format(", {} times in a row", times);
    }
    log::write(level, "docker",
               {{"id", id},
                {"verb", verb.name},
                {"object", call.object},
                {"outcome", outcome},
                {"ms", milliseconds}});
  }

  // When a response was lost dockerd repeats the request with an empty body, which must never be
  // taken for "{}".
  http::Response answer_to(const Verb& verb, Call& call, std::string& outcome) {
    if (verb.body == Body::kNeeded && is_blank(call.body)) {
      outcome = "empty request body";
      return refuse(400, outcome);
    }
    auto done = verb.run(adapters_, call);
    if (done) return answer(200, *std::move(done));
    outcome = shortened(done.error().text);
    return refuse(call.decoded ? 500 : 400, outcome);
  }

  Adapters adapters_;
  std::atomic<std::uint64_t> requests_{0};
  Repetitions repetitions_;
};

}  // namespace

http::Work work_of(const http::Request& request) {
  const Verb* verb = find_verb(request.path);
  return verb == kVerbs.end() ? Work::kNetwork : verb->work;
}

std::vector<std::string_view> verb_names() {
  std::vector<std::string_view> names;
  for (const Verb& verb : kVerbs) names.push_back(verb.name);
  return names;
}

http::Handler make_docker_handler(network::NetworkService& networks, network::PoolService& pools,
                                  volume::VolumeService& volumes) {
  const auto handler = std::make_shared<DockerHandler>(networks, pools, volumes);
  return [handler](const http::Request& request) { return handler->handle(request); };
}

}  // namespace fairlead::docker
