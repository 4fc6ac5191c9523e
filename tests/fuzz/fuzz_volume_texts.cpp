// Texts about volumes that come from users, labels, disks and backup folders of anybody: options
// with a grammar of their own, patterns, targets, and what lies beside the data.
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "volume/api/backup_target.h"
#include "volume/api/excludes.h"
#include "volume/api/option_values.h"
#include "volume/backends/pool_json.h"
#include "volume/backends/volume_json.h"
#include "volume/kernel/superblock.h"
#include "volume/service/index_file.h"
#include "volume/service/record.h"
#include "volume/service/remote_lock.h"

namespace {

using namespace fairlead::volume;

void must(bool holds) {
  if (!holds) std::abort();
}

// What is accepted is written, and read again to the same.
template <class Parse, class Format>
void there_and_back(std::string_view text, Parse parse, Format format) {
  const auto value = parse(text);
  if (!value) return must(!value.error().text.empty());
  const auto again = parse(format(*value));
  must(again && *again == *value);
}

void read_options(std::string_view text) {
  there_and_back(text, parse_idmap, format_idmap);
  there_and_back(text, parse_schedule, format_schedule);
  there_and_back(text, parse_autogrow, format_autogrow);
  there_and_back(text, parse_backup_plan, format_backup_plan);
  there_and_back(text, parse_excludes, format_excludes);
  there_and_back(text, parse_retention, format_retention);
  (void)parse_compression(text);
  (void)parse_id(text);
  (void)parse_mode(text);
  (void)parse_count(text);
  if (const auto path = parse_file_path(text)) must(path->starts_with('/'));
  if (const auto source = parse_source(text)) must(!source->first.empty());
}

// "patterns\npath": what is left out of a path.
void leave_out(std::string_view text) {
  const auto line = text.find('\n');
  if (line == text.npos) return;
  const auto excludes = parse_excludes(text.substr(0, line));
  if (!excludes || !check_excludes(*excludes)) return;
  const std::string_view path = text.substr(line + 1);
  (void)is_excluded(*excludes, path, true);
  (void)is_excluded(*excludes, path, false);
}

// Nothing of it may be an option of ssh(1), and a password is in none.
void read_target(std::string_view text) {
  const auto target = parse_backup_target(text);
  if (!target) return;
  must(target->name == text && !target->host.starts_with('-') && !target->user.starts_with('-'));
  must(target->port.find_first_not_of("0123456789") == std::string::npos);
  must((target->kind == BackupTarget::Kind::kLocal) != is_far_target(text));
}

// An id becomes the name of a folder.
void read_files(std::string_view text) {
  const auto is_name = [](const std::string& id) {
    return !id.empty() && id.find('/') == id.npos && id != "." && id != "..";
  };
  if (const auto volume = parse_volume_json(text)) {
    must(is_name(volume->id));
    for (const Snapshot& snapshot : volume->snapshots) must(is_name(snapshot.id));
    const auto again = parse_volume_json(to_volume_json(*volume));
    must(again && *again == *volume);
  }
  if (const auto pool = parse_pool_json(text)) {
    must(is_name(pool->id));
    must(parse_pool_json(to_pool_json(*pool)).has_value());
  }
  (void)parse_record(text, "boot");
  (void)parse_trash_record(text);
  if (const auto id = parse_index_name(text)) must(is_name(*id));
  must(!is_lock_name(text) || text.find('/') == text.npos);
}

void read_all(std::string_view text) {
  read_options(text);
  leave_out(text);
  read_target(text);
  read_files(text);
}

// In a few seconds nobody finds these, which each have to be accepted by some grammar.
constexpr std::string_view kSeeds[] = {
    "hourly:24,daily:7",
    "last:3,yearly:1",
    "20%:max=100g",
    "0-100000-65536,70000-200000-1",
    "daily:7,weekly:5@/srv/backup",
    "*.tmp,logs/,!keep,@caches,@if-present:.nobackup\na/b.tmp",
    "sftp:root@nas:22:/backup",
    "s3:https://host:443/bucket/folder",
    "data@monday",
    R"({"format":1,"id":"3f","name":"shop","backend":"dir","options":{"uid":"1000"},"labels":{},)"
    R"("created":1,"snapshots":[{"id":"77","name":"monday","origin":"user","created":1}]})",
};

}  // namespace

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  for (const std::string_view seed : kSeeds) read_all(seed);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  read_all(text);
  std::array<unsigned char, kSuperblockBytes> block{};
  std::copy_n(data, std::min(size, block.size()), block.begin());
  (void)parse_superblock(block);
  return 0;
}
