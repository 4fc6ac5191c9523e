// fairlead-cni-local: runs one CNI call with the core in this process, for hosts where no daemon
// runs. The thin client starts it; it can also be installed as the plugin itself.
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>

#include "plugin-api/bin/config.h"
#include "plugin-api/bin/core.h"
#include "plugin-api/bin/local_call.h"
#include "plugin-api/cni/adapter.h"

namespace fairlead {

namespace {

// GC looks at all that is there.
Status may_remove(Core& core, const cni::Invocation& invocation) {
  if (invocation.verb == cni::Verb::kGc) return core.claim();
  if (invocation.verb == cni::Verb::kDel) return may_remove(core, invocation.container.str());
  return {};
}

cni::Outcome run_call() {
  cni::Call call{.environment = cni::read_environment(&std::getenv), .netns = local_netns()};
  if (!call.environment.command.empty()) {
    auto input = read_document(STDIN_FILENO);
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
