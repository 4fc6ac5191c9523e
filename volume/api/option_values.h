// Parses and formats the values of options that have a grammar of their own, for options.cpp. The
// grammars are described in options.h and in each error.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "volume/api/options.h"

namespace fairlead::volume {

// "0-100000-65536,70000-200000-1", also with ':'. At most 340 lines, which is the kernel's limit
// (user_namespaces(7)); no id may occur in two of them. The result is sorted.
Result<std::vector<IdRange>> parse_idmap(std::string_view text);
std::string format_idmap(const std::vector<IdRange>& map);

// "hourly:24,daily:7": each kind at most once, with a count of 1 to 1000.
Result<Schedule> parse_schedule(std::string_view text);
std::string format_schedule(const Schedule& schedule);

// "20%:max=100g": 1 to 100 percent, and a size.
Result<AutoGrow> parse_autogrow(std::string_view text);
std::string format_autogrow(const AutoGrow& autogrow);
// "daily:7@/srv/backup": a schedule, and the target of the backups (backup_target.h).
Result<BackupPlan> parse_backup_plan(std::string_view text);
std::string format_backup_plan(const BackupPlan& plan);

// "shop" or "shop@monday": the names of a volume and of its snapshot. The latter may be empty.
Result<std::pair<std::string, std::string>> parse_source(std::string_view text);

// "zstd", "zstd:1" to "zstd:15", "lzo", "zlib", "zlib:1" to "zlib:9", "off".
Result<std::string> parse_compression(std::string_view text);

Result<std::uint32_t> parse_id(std::string_view text);    // uid or gid, without -1
Result<std::uint32_t> parse_mode(std::string_view text);  // octal, at most 07777
Result<std::uint64_t> parse_count(std::string_view text);
Result<std::string> parse_file_path(std::string_view text);  // absolute, without "." and ".."

}  // namespace fairlead::volume
