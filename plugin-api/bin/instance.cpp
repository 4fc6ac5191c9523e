#include "plugin-api/bin/instance.h"

#include <filesystem>

namespace fairlead {

namespace {

std::string header_of(const http::Request& request, const char* name) {
  const auto found = request.headers.find(name);
  return found == request.headers.end() ? "" : found->second;
}

// Whatever links lead to it. What does not exist is compared by its text.
bool same_path(const std::string& one, const std::string& other) {
  std::error_code error;
  if (std::filesystem::equivalent(one, other, error)) return true;
  const auto text = [](const std::string& path) {
    return std::filesystem::path(path + "/").lexically_normal();
  };
  return text(one) == text(other);
}

}  // namespace

Status Instance::accept_store(const std::string& folder) const {
  if (same_path(folder, state_dir_)) return {};
  return fail(Code::kConflict,
              "this fairleadd works with the store in {}, and the call is meant for the store in "
              "{}: use --config, FAIRLEAD_CONFIG or FAIRLEAD_RUN_DIR to reach the daemon of that "
              "one",
              state_dir_, folder);
}

Status Instance::accept(const http::Request& request) const {
  const std::string folder = header_of(request, kStateDirHeader);
  return folder.empty() ? Status() : accept_store(folder);
}

Status Instance::accept_thin(const http::Request& request) const {
  if (const std::string folder = header_of(request, kStateDirHeader); !folder.empty())
    return accept_store(folder);
  const std::string named = header_of(request, kConfigHeader);
  const std::string& file = named.empty() ? host_file_ : named;
  const bool own = same_path(file, file_);
  // A caller of the group must not make root open any file of its choice.
  if (!own && !named.empty())
    return fail(Code::kConflict,
                "this fairleadd has the configuration {}, and the call is meant for that in {}",
                file_, file);
  const auto config = read_config(file, Presence::kOptional, {});
  if (config) return accept_store(config->paths.state_dir);
  return own ? Status() : fail(config.error());
}

}  // namespace fairlead
