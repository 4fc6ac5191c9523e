#include "volume/service/archive_jobs.h"

#include <string_view>

#include "base/text.h"
#include "volume/api/excludes.h"
#include "volume/api/options.h"

namespace fairlead::volume {

namespace {

constexpr std::string_view kOption = "option.", kLabel = "label.";

std::string argument(const Job& job, const std::string& key) {
  const auto found = job.arguments.find(key);
  return found == job.arguments.end() ? std::string() : found->second;
}

BackupPlace place_of(const Job& job) {
  BackupPlace place(argument(job, "folder"));
  place.key_file = argument(job, "key-file");
  place.passphrase_file = argument(job, "passphrase-file");
  return place;
}

Result<LeftOut> restore_again(VolumeArchives& archives, const Job& job, const Progress& progress) {
  VolumeSpec spec;
  TRY(spec.name, VolumeName::parse(job.volume));
  std::map<std::string, std::string> options;
  for (const auto& [key, value] : job.arguments) {
    if (key.starts_with(kOption)) options[key.substr(kOption.size())] = value;
    if (key.starts_with(kLabel)) spec.labels[key.substr(kLabel.size())] = value;
  }
  TRY(spec.options, parse_options(options));
  TRY(auto volume, archives.restore(spec, place_of(job), argument(job, "backup"), progress));
  return std::move(volume.left_out);
}

Result<LeftOut> back_up_again(VolumeArchives& archives, const Job& job, const Progress& progress) {
  BackupOptions options;
  if (const std::string text = argument(job, "exclude"); !text.empty()) {
    TRY(options.excludes, parse_excludes(text));
  }
  if (const std::string text = argument(job, "keep"); !text.empty()) {
    TRY(options.keep, parse_retention(text));
  }
  return archives.back_up(job.volume, place_of(job), options, progress).map([](BackupInfo made) {
    return std::move(made.left_out);
  });
}

Result<LeftOut> from_a_pipe(const Job& job, const Progress&) {
  return fail(Code::kUnsupported,
              "{} reads or writes a file that only its caller has; give the command again",
              job.verb);
}

}  // namespace

JobRun::Task task_of(const std::string& verb, const BackupPlace& place, const std::string& volume) {
  JobRun::Task task{.verb = verb, .volume = shown(volume), .arguments = {{"folder", place.folder}}};
  if (!place.key_file.empty()) task.arguments["key-file"] = place.key_file;
  if (!place.passphrase_file.empty()) task.arguments["passphrase-file"] = place.passphrase_file;
  return task;
}

JobRun::Task backup_task(const std::string& volume, const BackupPlace& place,
                         const BackupOptions& options) {
  auto task = task_of("backup", place, volume);
  if (!options.excludes.empty()) task.arguments["exclude"] = format_excludes(options.excludes);
  if (options.keep) task.arguments["keep"] = format_retention(*options.keep);
  return task;
}

JobRun::Task restore_task(const VolumeSpec& spec, const BackupPlace& place,
                          const std::string& backup) {
  auto task = task_of("restore", place, spec.name.str());
  task.arguments["backup"] = backup;
  for (const auto& [key, value] : to_map(spec.options))
    task.arguments[std::string(kOption) + key] = value;
  for (const auto& [key, value] : spec.labels) task.arguments[std::string(kLabel) + key] = value;
  return task;
}

JobRun::Task verify_task(const BackupPlace& place, const std::string& backup) {
  auto task = task_of("verify", place);
  task.arguments["backup"] = backup;
  return task;
}

std::map<std::string, JobVerb> archive_job_verbs(VolumeArchives& archives) {
  return {{"export", from_a_pipe},
          {"import", from_a_pipe},
          {"backup",
           [&archives](const Job& job, const Progress& progress) {
             return back_up_again(archives, job, progress);
           }},
          {"restore",
           [&archives](const Job& job, const Progress& progress) {
             return restore_again(archives, job, progress);
           }},
          {"repair",
           [&archives](const Job& job, const Progress& progress) {
             return archives.repair(place_of(job), progress).map([](const RepairReport&) {
               return LeftOut{};
             });
           }},
          {"verify", [&archives](const Job& job, const Progress& progress) {
             return archives.verify(place_of(job), argument(job, "backup"), progress)
                 .map([](const CheckReport&) { return LeftOut{}; });
           }}};
}

}  // namespace fairlead::volume
