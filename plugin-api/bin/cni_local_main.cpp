// fairlead-cni-local: runs one CNI call with the core in this process, for hosts where no daemon
// runs. The thin client starts it; it can also be installed as the plugin itself.
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>

#include "network/kernel/host/netns.h"
#include "plugin-api/bin/config.h"
#include "plugin-api/bin/core.h"
#include "plugin-api/cni/adapter.h"

namespace fairlead {

namespace {

constexpr std::size_t kMostInput = 2 << 20;

Result<std::string> read_input() {
  std::string input;
  std::array<char, 8 << 10> block;
  for (;;) {
    const ssize_t got = ::read(STDIN_FILENO, block.data(), block.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno(errno, "read the configuration from stdin");
    if (got == 0) return input;
    input.append(block.data(), static_cast<std::size_t>(got));
    if (input.size() > kMostInput)
      return fail(Code::kInvalid, "the configuration on stdin is larger than 2 MiB");
  }
}

bool is_own_netns(int fd) {
  const auto own = kernel::current_netns();
  if (!own) return false;
  const auto own_id = kernel::netns_id(own->get()), id = kernel::netns_id(fd);
  return own_id && id && *own_id == *id;
}

Result<bool> holds_endpoint(network::NetworkService& networks, const ContainerId& container) {
  TRY(const auto endpoints, networks.list_endpoints(std::nullopt));
  return std::ranges::any_of(endpoints, [&](const network::Endpoint& endpoint) {
    return endpoint.container == container.str();
  });
}

// Refuses to remove anything where another store owns what is in the kernel. A DEL of what this
// store does not know succeeds there as everywhere.
Status may_remove(Core& core, const cni::Invocation& invocation) {
  const bool removes = invocation.verb == cni::Verb::kDel || invocation.verb == cni::Verb::kGc;
  if (!removes) return {};
  const Status claimed = core.claim();
  if (claimed || invocation.verb == cni::Verb::kGc) return claimed;
  TRY(const bool known, holds_endpoint(core.networks(), invocation.container));
  return known ? claimed : Status();
}

cni::Outcome run_call() {
  cni::Call call{.environment = cni::read_environment(&std::getenv),
                 .netns = {.open = kernel::open_netns, .is_own = is_own_netns}};
  if (!call.environment.command.empty()) {
    auto input = read_input();
    if (!input) {
      const bool too_large = input.error().code == Code::kInvalid;
      return cni::refused(
          {too_large ? cni::ErrorCode::kDecoding : cni::ErrorCode::kIo, input.error().text, ""},
          "");
    }
    call.input = std::move(*input);
  }
  call.run_plugin = [&call](const std::string& name,
                            const cni::PluginVerb& verb) -> Result<cni::PluginOutcome> {
    TRY(auto program, cni::find_plugin(call.environment.path, name));
    return cni::run_plugin({std::move(program), verb, call.input});
  };
  const cni::Prepared prepared = cni::prepare(call);
  if (!prepared.request) return prepared.outcome;
  const auto config = load_config({}, &std::getenv);
  if (!config) return cni::unavailable(*prepared.request, config.error());
  auto core = open_core(config->paths, CoreMode::kOneShot);
  if (!core) return cni::unavailable(*prepared.request, core.error());
  if (const Status may = may_remove(**core, prepared.request->invocation); !may)
    return cni::unavailable(*prepared.request, may.error());
  return cni::perform(*prepared.request, call, (*core)->networks());
}

bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

}  // namespace

}  // namespace fairlead

// Ends with _exit, because the result is written and the kernel closes everything without
// destructors.
int main() {
  ::umask(022);  // no folder is open to more than it says, whoever started us
  const fairlead::cni::Outcome outcome = fairlead::run_call();
  fairlead::write_all(STDERR_FILENO, outcome.err);
  const bool written = fairlead::write_all(STDOUT_FILENO, outcome.out);
  ::_exit(written ? outcome.exit_code : 1);
}
