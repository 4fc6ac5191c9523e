// Archives and backups as jobs: what their records hold, and how they are started again from it.
#pragma once

#include <map>
#include <string>

#include "volume/api/service.h"
#include "volume/service/jobs.h"

namespace fairlead::volume {

// The arguments hold where secrets are, never the secrets.
JobRun::Task task_of(const std::string& verb, const BackupPlace& place,
                     const std::string& volume = {});
JobRun::Task backup_task(const std::string& volume, const BackupPlace& place,
                         const BackupOptions& options);
JobRun::Task restore_task(const VolumeSpec& spec, const BackupPlace& place,
                          const std::string& backup);
JobRun::Task verify_task(const BackupPlace& place, const std::string& backup);

// For make_volume_jobs: the verbs that need nothing but their arguments.
std::map<std::string, JobVerb> archive_job_verbs(VolumeArchives& archives);

}  // namespace fairlead::volume
