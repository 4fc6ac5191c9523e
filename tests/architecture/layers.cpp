#include "tests/architecture/layers.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <optional>
#include <string_view>

namespace fairlead::architecture {

namespace {

// A layer is a folder. It may include itself, and what is listed: other layers or single headers.
// The longest path that fits a file is its layer, so that base does not stand for base/state.
struct Layer {
  std::string_view folder;
  std::vector<std::string_view> may_include;
};

const std::vector<Layer>& layers() {
  static const std::vector<std::string_view> protocol{"network/api", "volume/api", "base",
                                                      "base/json", "plugin-api/http"};
  static const std::vector<Layer> table{
      {"base", {}},
      {"base/json", {"base"}},
      {"base/http_client", {"base"}},
      {"base/metrics", {"base"}},
      {"base/state", {"base", "base/json", "base/http_client"}},
      {"network/api", {"base"}},
      // The rooms of the kernel: what each speaks to.
      {"network/kernel/netlink", {"base"}},
      {"network/kernel/host", {"base", "network/kernel/netlink"}},
      {"network/kernel/links", {"base", "network/kernel/netlink", "network/kernel/host"}},
      {"network/kernel/tunnels",
       {"base", "network/kernel/netlink", "network/kernel/host", "network/kernel/links"}},
      {"network/kernel/firewall", {"base", "network/kernel/host"}},
      {"network/kernel/events",
       {"base", "network/kernel/netlink", "network/kernel/links",
        "network/kernel/host/own_names.h"}},
      {"network/ipam", {"network/api", "base", "base/state", "base/json"}},
      // One choice of free subnets for networks of one host and of several.
      {"network/cluster",
       {"network/api", "network/ipam/subnets.h", "base", "base/state", "base/json"}},
      // This host's part in the cluster: its own store on one side, the shared one and the tunnels
      // on the other.
      {"network/agent",
       {"network/api", "network/cluster", "network/kernel/tunnels/vxlan.h",
        "network/kernel/tunnels/wireguard.h", "network/ipam", "base", "base/state"}},
      // What rules do with packets, as the kernel lists them.
      {"network/explain", {"network/api", "base", "base/json"}},
      {"network/nat", {"network/api", "network/kernel/firewall/firewall.h", "base"}},
      {"network/drivers", {"network/api", "network/kernel", "base"}},
      {"network/dns", {"network/api", "network/kernel", "base"}},
      {"network/service",
       {"network/api", "network/kernel", "network/ipam", "network/nat", "network/explain", "base",
        "base/state", "base/json"}},
      {"volume/api", {"base"}},
      {"volume/kernel", {"base"}},
      // volume.json beside the data lets a lost database be made anew.
      {"volume/backends", {"volume/api", "volume/kernel", "base", "base/json"}},
      {"volume/service", {"volume/api", "volume/kernel", "base", "base/state", "base/json"}},
      {"plugin-api/http", {"base"}},
      // Facts of the host and what follows from them; what the core and the kernel know is given.
      {"plugin-api/doctor", {"network/api", "volume/api", "base"}},
      {"plugin-api/docker", protocol},
      // What dockerd itself is asked, over its API.
      {"plugin-api/engine", {"network/api", "base", "base/json", "base/http_client"}},
      // What containers want to have run in them around a snapshot.
      {"plugin-api/hooks", {"volume/api", "base", "base/json", "base/http_client"}},
      {"plugin-api/cni", protocol},
      // Thin clients are made without the C library.
      {"plugin-api/thin", {}},
      {"plugin-api/netavark", protocol},
      {"plugin-api/native",
       {"network/api", "volume/api", "base", "base/json", "plugin-api/http",
        "plugin-api/doctor/doctor.h", "plugin-api/doctor/finding.h"}},
      // The page: it speaks the API's protocol through a handler that it is given.
      {"plugin-api/ui", {"base", "base/json", "plugin-api/http"}},
      // What a scrape tells of the services.
      {"plugin-api/metrics",
       {"network/api", "volume/api", "base", "base/metrics", "plugin-api/http"}},
      // It reads and writes what the API does, by the same codec.
      {"plugin-api/client",
       {"network/api", "volume/api", "base", "base/json", "base/http_client",
        "plugin-api/native/codec.h", "plugin-api/native/headers.h"}},
      // What the command line prints as JSON is what the API answers, and both refuse the same.
      // Templates over JSON: of --format.
      {"plugin-api/cli/format", {"base", "base/json"}},
      {"plugin-api/cli",
       {"network/api", "volume/api", "base", "base/json", "plugin-api/native/codec.h",
        "plugin-api/native/codec_explain.h", "plugin-api/native/docker_objects.h",
        "plugin-api/native/codec_doctor.h", "plugin-api/doctor/checks.h",
        "plugin-api/doctor/doctor.h", "plugin-api/cli/format"}},
      {"plugin-api/bin", {"base", "network", "volume", "plugin-api"}},
  };
  return table;
}

// Libraries that are known to one folder only, or to those that are listed for it. What is not
// listed (the standard library, the kernel's and libc's headers, fmt, tl::expected) is free.
struct Library {
  std::string_view header;  // how its headers begin
  std::string_view folder;
};
constexpr std::array<Library, 19> kLibraries{{{"libmnl/", "network/kernel"},
                                              {"libnftnl/", "network/kernel"},
                                              {"nftables/", "network/kernel"},
                                              {"libnetfilter_conntrack/", "network/kernel"},
                                              {"netlink/", "network/kernel"},
                                              {"boost/", "plugin-api/http"},
                                              {"boost/", "base/http_client"},
                                              {"openssl/", "base/http_client"},
                                              {"openssl/", "volume/kernel"},
                                              // X25519, which the kernel has no call for.
                                              {"openssl/", "network/kernel"},
                                              {"sqlite3.h", "base/state"},
                                              {"CLI/", "plugin-api/cli"},
                                              {"nlohmann/", "base/json"},
                                              {"archive.h", "volume/kernel"},
                                              {"archive_entry.h", "volume/kernel"},
                                              {"zstd.h", "volume/kernel"},
                                              {"blkid/", "volume/kernel"},
                                              {"xfs/", "volume/kernel"},
                                              {"ldns/", "network/dns"}}};

bool is_below(std::string_view path, std::string_view folder) {
  return path.starts_with(folder) && (path.size() == folder.size() || path[folder.size()] == '/');
}

const Layer* layer_of(std::string_view path) {
  const Layer* best = nullptr;
  for (const Layer& layer : layers())
    if (is_below(path, layer.folder) &&
        (best == nullptr || best->folder.size() < layer.folder.size()))
      best = &layer;
  return best;
}

// "base" does not open base/state; "network" (plugin-api/bin) opens all layers below it.
bool allows(std::string_view allowed, std::string_view header, const Layer& target) {
  if (allowed == header || allowed == target.folder) return true;
  const bool is_layer =
      std::ranges::any_of(layers(), [&](const Layer& layer) { return layer.folder == allowed; });
  return !is_layer && is_below(header, allowed);
}

std::string why_not_own(const Layer& layer, std::string_view header) {
  const Layer* target = layer_of(header);
  if (target == nullptr)
    return "is not a header of a layer; write the path from the root of the sources";
  if (target == &layer) return "";
  if (layer.folder == "plugin-api/bin") return "";
  for (const std::string_view allowed : layer.may_include)
    if (allows(allowed, header, *target)) return "";
  return fmt::format("{} may not see {}; it may see {}", layer.folder, target->folder,
                     layer.may_include.empty()
                         ? "no other layer"
                         : fmt::format("{}", fmt::join(layer.may_include, ", ")));
}

std::string why_not_library(std::string_view path, std::string_view header) {
  std::string folders;
  std::string_view name;
  for (const Library& library : kLibraries) {
    if (!header.starts_with(library.header)) continue;
    if (is_below(path, library.folder)) return "";
    folders += (folders.empty() ? "" : " and ") + std::string(library.folder);
    name = library.header;
  }
  return name.empty() ? "" : fmt::format("only {} may include {}", folders, name);
}

struct Include {
  bool quoted = false;
  std::string_view header;
};

// The include of a source line, if it is one. Reads as the preprocessor does: blanks around '#' and
// after the word.
std::optional<Include> include_of(std::string_view line) {
  const auto skip_blanks = [&] {
    line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
  };
  skip_blanks();
  if (!line.starts_with('#')) return std::nullopt;
  line.remove_prefix(1);
  skip_blanks();
  if (!line.starts_with("include")) return std::nullopt;
  line.remove_prefix(std::string_view("include").size());
  skip_blanks();
  if (line.empty() || (line[0] != '"' && line[0] != '<')) return std::nullopt;
  const bool quoted = line[0] == '"';
  const auto end = line.find(quoted ? '"' : '>', 1);
  if (end == std::string_view::npos) return std::nullopt;
  return Include{quoted, line.substr(1, end - 1)};
}

void check_file(const std::filesystem::path& root, const std::string& path, Report& report) {
  ++report.files;
  const Layer* layer = layer_of(path);
  if (layer == nullptr) {
    report.violations.push_back(fmt::format("{}: its folder is not in the table of layers", path));
    return;
  }
  std::ifstream file(root / path);
  std::string line;
  for (int number = 1; std::getline(file, line); ++number) {
    const auto include = include_of(line);
    if (!include) continue;
    std::string why = why_not_library(path, include->header);
    if (why.empty() && (include->quoted || layer_of(include->header) != nullptr))
      why = why_not_own(*layer, include->header);
    if (!why.empty())
      report.violations.push_back(fmt::format("{}:{}: {} - {}", path, number, line, why));
  }
}

bool is_source(const std::filesystem::path& path) {
  constexpr std::array<std::string_view, 6> kEndings{".h", ".hpp", ".cpp", ".cc", ".c", ".inc"};
  return std::ranges::find(kEndings, path.extension().string()) != kEndings.end();
}

}  // namespace

Report check_layers(const std::filesystem::path& root) {
  Report report;
  for (const char* top : {"base", "network", "volume", "plugin-api"}) {
    if (!std::filesystem::exists(root / top)) continue;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root / top))
      if (entry.is_regular_file() && is_source(entry.path()))
        check_file(root, entry.path().lexically_relative(root).generic_string(), report);
  }
  std::ranges::sort(report.violations);
  return report;
}

}  // namespace fairlead::architecture
