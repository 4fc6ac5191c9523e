#include "volume/service/mount_hints.h"

#include <algorithm>
#include <functional>

#include "base/log.h"
#include "base/text.h"

namespace fairlead::volume {

namespace {

constexpr std::size_t kMostHints = 1024, kLongestClient = 256;

auto is_of(const std::string& client, const std::string& id) {
  return [&](const MountHint& hint) { return hint.client == client && hint.id == id; };
}

}  // namespace

Status check_hint(const std::string& client, const std::string& id) {
  if (client.size() > kLongestClient || id.size() > kLongestClient || !is_plain_text(client) ||
      !is_plain_text(id))
    return fail(Code::kInvalid, "the id of a mount must be text of at most {} bytes",
                kLongestClient);
  return {};
}

void count_up(std::vector<MountHint>& mounts, const std::string& client, const std::string& id) {
  if (const auto hint = std::ranges::find_if(mounts, is_of(client, id)); hint != mounts.end()) {
    if (hint->count < UINT32_MAX) ++hint->count;
    return;
  }
  if (mounts.size() >= kMostHints) mounts.erase(mounts.begin());
  mounts.push_back({client, id, 1});
}

bool count_down(std::vector<MountHint>& mounts, const std::string& client, const std::string& id) {
  const auto hint = std::ranges::find_if(mounts, is_of(client, id));
  if (hint == mounts.end()) return false;
  if (--hint->count == 0) mounts.erase(hint);
  return true;
}

bool is_counted(const std::vector<MountHint>& mounts, const std::string& client,
                const std::string& id) {
  return std::ranges::any_of(mounts, is_of(client, id));
}

void drop_others(std::vector<MountHint>& mounts, const std::string& client, const std::string& id) {
  std::erase_if(mounts, std::not_fn(is_of(client, id)));
}

bool may_go_uncounted(const Volume& volume, const Error& error) {
  if (error.code != Code::kExhausted) return false;
  log::warn("a mount is not counted", {{"volume", volume.name.str()}, {"error", error.text}});
  return true;
}

}  // namespace fairlead::volume
