#include "volume/service/service_impl.h"

namespace fairlead::volume {

Result<Volume> Service::resize(const std::string& name, std::uint64_t size) {
  const auto run = [&]() -> Result<Volume> {
    TRY(const auto parsed, VolumeName::parse(name));
    if (size == 0 || size > INT64_MAX)
      return fail(Code::kInvalid, "{} bytes is not a size for a volume", size);
    TRY(const auto guard, lock(parsed));
    TRY(auto opened, settled(parsed));
    if (size_of(opened.stored.volume) == size) return with_path(std::move(opened.stored.volume));
    TRY(const auto content, lock_content(opened.stored.volume, kReconcileLockDeadline));
    TRY_STATUS(change(opened,
                      {.kind = ChangeKind::kResize, .snapshot = {}, .kept = {}, .size = size}, {}));
    return with_path(std::move(opened.stored.volume));
  };
  return in_context(run(), "resize", name);
}

}  // namespace fairlead::volume
