#include "plugin-api/cni/environment.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <vector>

namespace fairlead::cni {

namespace {

constexpr auto kVariables = std::to_array<Variable>({
    {"CNI_COMMAND", "x-cni-command", &Environment::command},
    {"CNI_CONTAINERID", "x-cni-containerid", &Environment::container_id},
    {"CNI_NETNS", "x-cni-netns", &Environment::netns},
    {"CNI_IFNAME", "x-cni-ifname", &Environment::ifname},
    {"CNI_ARGS", "x-cni-args", &Environment::args},
    {"CNI_PATH", "x-cni-path", &Environment::path},
    {"CNI_NETNS_OVERRIDE", "x-cni-netns-override", &Environment::netns_override},
});

// The variables that a verb requires (SPEC 1.1.0, "CNI operations").
struct Need {
  std::string_view command;
  Verb verb;
  bool container, netns, path;  // `container` stands for CNI_CONTAINERID and CNI_IFNAME
};
constexpr auto kNeeds = std::to_array<Need>({
    {"ADD", Verb::kAdd, true, true, false},
    {"DEL", Verb::kDel, true, false, false},
    {"CHECK", Verb::kCheck, true, true, false},
    {"GC", Verb::kGc, false, false, true},
    {"STATUS", Verb::kStatus, false, false, false},
    {"VERSION", Verb::kVersion, false, false, false},
});

Failure wrong(std::string message) { return {ErrorCode::kEnvironment, std::move(message), ""}; }

Decoded<const Need*> find_need(const std::string& command) {
  if (command.empty()) return fail(wrong("required env variables [CNI_COMMAND] missing"));
  const auto need = std::ranges::find(kNeeds, command, &Need::command);
  if (need != kNeeds.end()) return &*need;
  return fail(wrong(fmt::format("unknown CNI_COMMAND: {}", command.substr(0, 64))));
}

std::vector<std::string_view> missing(const Need& need, const Environment& environment) {
  std::vector<std::string_view> names;
  const auto require = [&](bool needed, const std::string& value, std::string_view name) {
    if (needed && value.empty()) names.push_back(name);
  };
  require(need.container, environment.container_id, "CNI_CONTAINERID");
  require(need.netns, environment.netns, "CNI_NETNS");
  require(need.container, environment.ifname, "CNI_IFNAME");
  require(need.path, environment.path, "CNI_PATH");
  return names;
}

Status check_path(const std::string& netns) {
  const auto control = [](unsigned char c) { return c < 0x20 || c == 0x7f; };
  if (netns.size() > 4095 || std::ranges::any_of(netns, control))
    return fail(Code::kInvalid,
                "it must be a path of at most 4095 bytes without control characters");
  return {};
}

bool is_on(std::string_view text) {
  constexpr std::array<std::string_view, 6> kOn{"1", "t", "T", "true", "TRUE", "True"};
  return std::ranges::find(kOn, text) != kOn.end();
}

Failure bad_value(std::string_view name, const Error& error) {
  return wrong(fmt::format("{} is not valid: {}", name, error.text));
}

}  // namespace

std::span<const Variable> variables() { return kVariables; }

Environment read_environment(const std::function<const char*(const char*)>& get) {
  Environment environment;
  for (const Variable& variable : kVariables)
    if (const char* value = get(variable.name.data()); value != nullptr)
      environment.*variable.field = value;
  return environment;
}

Decoded<Invocation> check_environment(const Environment& environment) {
  TRY(const Need* need, find_need(environment.command));
  if (const auto names = missing(*need, environment); !names.empty())
    return fail(wrong(fmt::format("required env variables [{}] missing", fmt::join(names, ","))));
  Invocation invocation{.verb = need->verb};
  if (!need->container) return invocation;
  auto container = ContainerId::parse(environment.container_id);
  if (!container) return fail(bad_value("CNI_CONTAINERID", container.error()));
  auto ifname = IfName::parse(environment.ifname);
  if (!ifname) return fail(bad_value("CNI_IFNAME", ifname.error()));
  if (auto path = check_path(environment.netns); need->netns && !path)
    return fail(bad_value("CNI_NETNS", path.error()));
  invocation.container = std::move(*container);
  invocation.ifname = std::move(*ifname);
  invocation.netns = environment.netns;
  invocation.own_netns_allowed = is_on(environment.netns_override);
  return invocation;
}

}  // namespace fairlead::cni
