#include "volume/backends/registry.h"

#include <algorithm>
#include <array>

#include "volume/api/text.h"
#include "volume/backends/dir.h"

namespace fairlead::volume {

namespace {

struct KnownBackend {
  std::string_view name;
  std::string_view instead;  // what to do where it is not available
};

constexpr std::array<KnownBackend, 8> kKnown{{
    {"dir", "leave the option out"},
    {"image", "leave the option out for a folder without a limit"},
    {"btrfs", "leave the option out; the volume folder may lie on btrfs all the same"},
    {"tmpfs", "give the container a tmpfs itself (docker run --tmpfs)"},
    {"bind", "bind the folder where the container mounts it (docker run -v /path:/path)"},
    {"nfs", "mount it on the host and bind it where the container mounts it"},
    {"cifs", "mount it on the host and bind it where the container mounts it"},
    {"mount", "mount it on the host and bind it where the container mounts it"},
}};

}  // namespace

void Backends::add(std::string name, std::unique_ptr<Backend> backend) {
  if (default_.empty()) default_ = name;
  backends_.insert_or_assign(std::move(name), std::move(backend));
}

Result<Backend*> Backends::find(const std::string& name) {
  if (const auto found = backends_.find(name); found != backends_.end()) return found->second.get();
  const auto known = std::ranges::find(kKnown, name, &KnownBackend::name);
  if (known != kKnown.end())
    return fail(Code::kUnsupported,
                "volume backend \"{}\" is not available in this version of Fairlead; {}", name,
                known->instead);
  std::vector<std::string_view> names;
  for (const KnownBackend& row : kKnown) names.push_back(row.name);
  const std::string closest =
      closest_word(std::string_view(name).substr(0, 64), names.data(), names.size());
  return fail(Code::kInvalid, "unknown volume backend \"{}\"; {}", shown(name),
              closest.empty() ? fmt::format("known are {}", fmt::join(names, ", "))
                              : fmt::format("did you mean \"{}\"?", closest));
}

Result<BackendRegistry::Choice> Backends::choose(const VolumeOptions& options) {
  const std::string& name = options.backend.empty() ? default_ : options.backend;
  TRY(Backend* const backend, find(name));
  return Choice{name, options.pool, backend,
                options.backend.empty() ? fmt::format("{} is the default of this host", name)
                                        : fmt::format("asked for with backend={}", name)};
}

std::vector<Backend*> Backends::all() {
  std::vector<Backend*> found;
  for (const auto& [name, backend] : backends_) found.push_back(backend.get());
  return found;
}

std::unique_ptr<BackendRegistry> make_backends(const std::string& volume_dir) {
  auto backends = std::make_unique<Backends>();
  backends->add("dir", make_dir_backend(volume_dir));
  return backends;
}

}  // namespace fairlead::volume
