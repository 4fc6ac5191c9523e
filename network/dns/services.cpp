#include "network/dns/services.h"

#include <arpa/inet.h>
#include <netdb.h>

#include <array>
#include <cerrno>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

namespace fairlead::dns {

namespace {

using Table = std::unordered_map<std::string, std::uint16_t>;  // "https/tcp"

std::string key_of(std::string_view service, std::string_view protocol) {
  return std::string(service) + "/" + std::string(protocol);
}

void add(Table& table, const servent& entry) {
  const auto port = ntohs(static_cast<std::uint16_t>(entry.s_port));
  table.emplace(key_of(entry.s_name, entry.s_proto), port);
  for (char** alias = entry.s_aliases; *alias != nullptr; ++alias)
    table.emplace(key_of(*alias, entry.s_proto), port);
}

Table read_table() {
  Table table;
  std::vector<char> space(4096);
  servent entry{};
  servent* found = nullptr;
  setservent(1);
  while (true) {
    const int error = getservent_r(&entry, space.data(), space.size(), &found);
    if (error == ERANGE && space.size() < (1U << 20)) {
      space.resize(2 * space.size());
      continue;
    }
    if (error != 0 || found == nullptr) break;
    add(table, entry);
  }
  endservent();
  return table;
}

}  // namespace

ServicePorts service_ports_of_host() {
  const auto table = std::make_shared<const Table>(read_table());
  return
      [table](std::string_view service, std::string_view protocol) -> std::optional<std::uint16_t> {
        const auto found = table->find(key_of(service, protocol));
        if (found == table->end()) return std::nullopt;
        return found->second;
      };
}

}  // namespace fairlead::dns
