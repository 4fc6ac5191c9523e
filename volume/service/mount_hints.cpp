#include "volume/service/mount_hints.h"

#include <algorithm>

#include "base/text.h"

namespace fairlead::volume {

namespace {

constexpr std::size_t kMostHints = 1024, kLongestClient = 256;

std::vector<MountHint>::iterator find_hint(Volume& volume, const std::string& client,
                                           const std::string& id) {
  return std::ranges::find_if(
      volume.mounts, [&](const MountHint& hint) { return hint.client == client && hint.id == id; });
}

}  // namespace

Status check_hint(const std::string& client, const std::string& id) {
  if (client.size() > kLongestClient || id.size() > kLongestClient || !is_plain_text(client) ||
      !is_plain_text(id))
    return fail(Code::kInvalid, "the id of a mount must be text of at most {} bytes",
                kLongestClient);
  return {};
}

void count_up(Volume& volume, const std::string& client, const std::string& id) {
  if (const auto hint = find_hint(volume, client, id); hint != volume.mounts.end()) {
    if (hint->count < UINT32_MAX) ++hint->count;
    return;
  }
  if (volume.mounts.size() >= kMostHints) volume.mounts.erase(volume.mounts.begin());
  volume.mounts.push_back({client, id, 1});
}

bool count_down(Volume& volume, const std::string& client, const std::string& id) {
  const auto hint = find_hint(volume, client, id);
  if (hint == volume.mounts.end()) return false;
  if (--hint->count == 0) volume.mounts.erase(hint);
  return true;
}

void drop_others(Volume& volume, const std::string& client, const std::string& id) {
  std::erase_if(volume.mounts,
                [&](const MountHint& hint) { return hint.client != client || hint.id != id; });
}

}  // namespace fairlead::volume
