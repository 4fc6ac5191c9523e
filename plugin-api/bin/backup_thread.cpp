#include "plugin-api/bin/backup_thread.h"

#include "base/log.h"

namespace fairlead {

namespace {
constexpr std::chrono::seconds kPeriod{60};
}  // namespace

BackupThread::BackupThread(volume::VolumeArchives& archives)
    : archives_(archives), thread_([this] { keep(); }, kPeriod) {
  thread_.soon();
}

void BackupThread::keep() {
  const auto report =
      archives_.keep_backups([this](std::uint64_t, std::uint64_t) { return !stopping_; });
  if (!report) log::error("keep backups", {{"error", report.error().text}});
}

}  // namespace fairlead
