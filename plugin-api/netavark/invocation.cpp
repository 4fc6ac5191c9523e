#include "plugin-api/netavark/invocation.h"

#include <algorithm>
#include <array>
#include <optional>

namespace fairlead::netavark {

namespace {

struct CommandName {
  std::string_view name;
  Command command;
};
constexpr std::array<CommandName, 10> kCommands{{{"create", Command::kCreate},
                                                 {"setup", Command::kSetup},
                                                 {"teardown", Command::kTeardown},
                                                 {"update", Command::kUpdate},
                                                 {"info", Command::kInfo},
                                                 {"version", Command::kVersion},
                                                 {"--version", Command::kProgramVersion},
                                                 {"firewall-reload", Command::kFirewallReload},
                                                 {"firewalld-reload", Command::kFirewalldReload},
                                                 {"dhcp-proxy", Command::kDhcpProxy}}};

// The options of netavark(1), all with a value, and which of them are of interest here.
enum class Option { kIgnored, kFile, kRootless, kPlugins, kDnsServers };
struct OptionName {
  std::string_view name, letter;
  Option option;
};
constexpr std::array<OptionName, 7> kOptions{{{"--file", "-f", Option::kFile},
                                              {"--config", "-c", Option::kIgnored},
                                              {"--rootless", "-r", Option::kRootless},
                                              {"--aardvark-binary", "-a", Option::kIgnored},
                                              {"--firewall-driver", "", Option::kIgnored},
                                              {"--plugin-directory", "", Option::kPlugins},
                                              {"--network-dns-servers", "", Option::kDnsServers}}};

const OptionName* find_option(std::string_view argument) {
  for (const OptionName& option : kOptions) {
    const bool letter = !option.letter.empty() && argument.starts_with(option.letter) &&
                        !argument.starts_with("--");
    if (argument == option.name || letter ||
        (argument.starts_with(option.name) && argument.substr(option.name.size()).starts_with("=")))
      return &option;
  }
  return nullptr;
}

// What is behind the option in the same argument: "--file=x", "-fx", "-f=x".
std::optional<std::string> value_in(const OptionName& option, std::string_view argument) {
  std::string_view rest = argument.starts_with("--") ? argument.substr(option.name.size())
                                                     : argument.substr(option.letter.size());
  if (rest.empty()) return std::nullopt;
  if (rest.front() == '=') rest.remove_prefix(1);
  return std::string(rest);
}

void take(Environment& environment, Option option, std::string value) {
  if (option == Option::kFile) environment.file = std::move(value);
  if (option == Option::kRootless) environment.rootless = value == "true";
  if (option == Option::kPlugins) environment.plugin_folders.push_back(std::move(value));
  if (option == Option::kDnsServers) environment.dns_servers = std::move(value);
}

Status take_word(Environment& environment, const std::string& word) {
  if (environment.command.empty()) {
    environment.command = word;
    return {};
  }
  std::string& argument = environment.command == "update" ? environment.network : environment.netns;
  if (!argument.empty())
    return fail(Code::kInvalid, "unexpected argument \"{}\" of {}", word.substr(0, 64),
                environment.command);
  argument = word;
  return {};
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

Result<std::vector<IpAddress>> parse_servers(std::string_view text) {
  std::vector<IpAddress> servers;
  while (!text.empty()) {
    const auto comma = text.find(',');
    const std::string_view each = trimmed(text.substr(0, comma));
    text = comma == std::string_view::npos ? std::string_view() : text.substr(comma + 1);
    if (each.empty()) continue;
    TRY(const auto server, IpAddress::parse(each));
    servers.push_back(server);
  }
  return servers;
}

bool works_on_container(Command command) {
  return command == Command::kSetup || command == Command::kTeardown;
}

}  // namespace

Result<Environment> read_arguments(std::span<const std::string> arguments) {
  Environment environment;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i];
    const OptionName* option = find_option(argument);
    const bool version = argument == "--version" || argument == "-V";
    if (version && environment.command.empty()) {
      environment.command = "--version";
    } else if (option != nullptr) {
      auto value = value_in(*option, argument);
      if (!value && i + 1 == arguments.size())
        return fail(Code::kInvalid, "option {} needs a value", option->name);
      take(environment, option->option, value ? std::move(*value) : arguments[++i]);
    } else if (argument.starts_with('-') && environment.command != "dhcp-proxy") {
      return fail(Code::kInvalid, "option \"{}\" is not known", argument.substr(0, 64));
    } else if (environment.command != "dhcp-proxy") {  // which is refused, whatever it is told
      TRY_STATUS(take_word(environment, argument));
    }
  }
  return environment;
}

Result<Invocation> check_environment(const Environment& environment) {
  const auto found = std::ranges::find(kCommands, environment.command, &CommandName::name);
  if (found == kCommands.end())
    return fail(Code::kInvalid,
                "{}: say create, setup NETNS, teardown NETNS, update NETWORK, info, version or "
                "firewall-reload",
                environment.command.empty() ? "a command is missing"
                                            : fmt::format("command \"{}\" is not known",
                                                          environment.command.substr(0, 64)));
  Invocation invocation{.command = found->command};
  invocation.plugin_folders = environment.plugin_folders;
  if (!environment.network_folder.empty()) invocation.network_folder = environment.network_folder;
  if (invocation.network_folder.front() != '/')
    return fail(Code::kInvalid, "FAIRLEAD_PODMAN_NETWORKS: \"{}\" is not an absolute path",
                environment.network_folder.substr(0, 128));
  if (works_on_container(found->command)) invocation.netns = environment.netns;
  if (works_on_container(found->command) && environment.netns.empty())
    return fail(Code::kInvalid, "{}: the path of the network namespace is missing", found->name);
  if (found->command != Command::kUpdate) return invocation;
  if (environment.network.empty())
    return fail(Code::kInvalid, "update: the name of the network is missing");
  invocation.network = environment.network;
  TRY(invocation.dns_servers, parse_servers(environment.dns_servers));
  return invocation;
}

}  // namespace fairlead::netavark
