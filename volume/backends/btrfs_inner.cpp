#include "volume/backends/btrfs_inner.h"

#include <fmt/format.h>

#include <utility>

#include "base/text.h"
#include "volume/kernel/btrfs_tree.h"

namespace fairlead::volume {

namespace {

constexpr std::size_t kMostInner = btrfs::kMostInTree + 1;

}  // namespace

Result<InnerSubvolumes> inner_of(const Folder& fs) {
  TRY(const auto id, btrfs::id_of(fs.fd()));
  return btrfs::inner_subvolumes(fs.fd(), id, kMostInner);
}

std::string names_of(const InnerSubvolumes& inner) {
  constexpr std::size_t kNamed = 3;
  constexpr std::string_view kData = "_data/";
  std::vector<std::string> names;
  for (const btrfs::InnerSubvolume& one : inner) {
    const bool below = one.path.starts_with(kData);
    if (names.size() < kNamed)
      names.push_back(
          fmt::format("\"{}\"", shown(below ? one.path.substr(kData.size()) : one.path)));
  }
  const std::string text = fmt::format("{}", fmt::join(names, ", "));
  if (inner.size() <= kNamed) return text;
  return fmt::format("{} and {}{} more", text, inner.size() >= kMostInner ? "at least " : "",
                     inner.size() - kNamed);
}

// Says which subvolumes are meant where `what` could not take them along.
Error with_names(Error error, const Folder& fs, std::string_view what) {
  const auto inner = inner_of(fs);
  if (!inner || inner->empty()) return error;
  return with_context(
      std::move(error),
      fmt::format("{} has to take along the subvolumes inside: {}", what, names_of(*inner)));
}

Status snapshot_whole(const Folder& fs, const Folder& place, const std::string& name,
                      btrfs::Writable writable, std::string_view what) {
  const auto made = btrfs::snapshot_tree(fs, place, name, writable);
  return made ? made : Status(fail(with_names(made.error(), fs, what)));
}

Status refuse_too_many(const Folder& fs) {
  TRY(const auto id, btrfs::id_of(fs.fd()));
  TRY(const auto inner, btrfs::inner_ids(fs.fd(), id));
  if (inner.size() <= btrfs::kMostInTree) return {};
  return fail(Code::kExhausted,
              "it has {} subvolumes inside, and the snapshot that keeps them takes at most {}; "
              "remove some (btrfs subvolume delete)",
              inner.size(), btrfs::kMostInTree);
}

}  // namespace fairlead::volume
