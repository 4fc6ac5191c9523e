#include "volume/backends/fs_tools.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>

#include "base/options/values.h"
#include "base/text.h"
#include "volume/kernel/run_tool.h"

namespace fairlead::volume {

namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kMiB = 1U << 20;
constexpr auto kMkfsDeadline = 60s;
constexpr auto kFsckDeadline = std::chrono::hours(6);  // enough for many terabytes

struct Kind {
  std::string_view type, package, mkfs;
  std::uint64_t smallest;  // bytes; the least that mkfs accepts, with a journal
};
constexpr std::array<Kind, 2> kKinds{
    {{"ext4", "e2fsprogs", "mkfs.ext4", 10 * kMiB}, {"xfs", "xfsprogs", "mkfs.xfs", 300 * kMiB}}};
constexpr std::uint64_t kLargest = std::uint64_t{1} << 44;  // 16 TiB, the largest file on ext4

// As 8-4-4-4-12, the form that the tools read.
std::string dashed(const std::string& uuid) {
  return fmt::format("{}-{}-{}-{}-{}", uuid.substr(0, 8), uuid.substr(8, 4), uuid.substr(12, 4),
                     uuid.substr(16, 4), uuid.substr(20, 12));
}

// In MiB. By default mkfs gives a small image a journal of half its size.
std::uint64_t journal_size(std::uint64_t size) {
  return std::clamp<std::uint64_t>(size / kMiB / 32, 4, 64);
}

// With nothing but zeros the inode tables need not be written, neither now nor later by the kernel.
// Blocks of a device that may hold anything are discarded, where it can. No blocks are reserved for
// root, so that the limit is the same for every user of a container.
std::vector<std::string> mkfs_ext4(const NewFilesystem& what) {
  std::vector<std::string> argv{
      "mkfs.ext4",
      "-q",
      "-F",
      "-b",
      std::to_string(kFsBlock),
      "-m",
      "0",
      "-e",
      "remount-ro",
      "-U",
      dashed(what.uuid),
      "-O",
      fmt::format("metadata_csum,metadata_csum_seed,64bit{}", what.encrypted ? ",encrypt" : ""),
      "-J",
      fmt::format("size={}", journal_size(what.size)),
      "-E",
      what.zeroed ? "nodiscard,lazy_itable_init=1,lazy_journal_init=1,assume_storage_prezeroed=1"
                  : "discard,lazy_itable_init=1,lazy_journal_init=0"};
  if (what.inodes) argv.insert(argv.end(), {"-N", std::to_string(*what.inodes)});
  argv.push_back(what.path);
  argv.push_back(fmt::format("{}K", what.size / 1024));
  return argv;
}

std::vector<std::string> mkfs_xfs(const NewFilesystem& what) {
  std::vector<std::string> argv{"mkfs.xfs",
                                "-q",
                                "-f",
                                "-s",
                                fmt::format("size={}", kFsBlock),
                                "-m",
                                fmt::format("uuid={}", dashed(what.uuid)),
                                "-d",
                                fmt::format("size={}", what.size / kFsBlock * kFsBlock)};
  if (what.zeroed) argv.emplace_back("-K");  // nothing to discard
  argv.push_back(what.path);
  return argv;
}

void add_lines(CheckReport& report, std::string_view text) {
  constexpr std::size_t kMost = 200;
  while (!text.empty() && report.findings.size() < kMost) {
    const auto end = text.find('\n');
    if (const auto line = text.substr(0, end); !line.empty())
      report.findings.push_back(shown(line));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
}

// Exit codes of e2fsck(8): 0 clean, 1 and 2 repaired, 4 errors left; with any other it did not run.
Result<CheckReport> check_ext4(const std::string& path, bool repair) {
  const auto run = [&](const char* how) {
    return run_tool({.action = fmt::format("check the ext4 file system in {}", path),
                     .argv = {"e2fsck", "-f", how, path},
                     .deadline = kFsckDeadline,
                     .package = "e2fsprogs",
                     .accepted = {0, 1, 2, 4}});
  };
  TRY(auto result, run(repair ? "-p" : "-n"));
  // -p repairs only what is safe; when asked to repair, go on
  if (repair && result.exit_code == 4) {
    TRY(result, run("-y"));
  }
  CheckReport report{.clean = result.exit_code == 0 || (repair && result.exit_code < 4)};
  if (result.exit_code != 0) add_lines(report, result.out);
  return report;
}

// Exit codes of xfs_repair(8): with -n, 1 means damage; without -n, 0 means repaired.
Result<CheckReport> check_xfs(const std::string& path, bool repair) {
  std::vector<std::string> argv{"xfs_repair", "-f"};
  if (!repair) argv.emplace_back("-n");
  argv.push_back(path);
  TRY(const auto result, run_tool({.action = fmt::format("check the xfs file system in {}", path),
                                   .argv = std::move(argv),
                                   .deadline = kFsckDeadline,
                                   .package = "xfsprogs",
                                   .accepted = {0, 1}}));
  CheckReport report{.clean = result.exit_code == 0};
  if (!report.clean) add_lines(report, result.err.empty() ? result.out : result.err);
  return report;
}

}  // namespace

std::string fs_type(const VolumeOptions& options) {
  return options.fstype.empty() ? "ext4" : options.fstype;
}

Status check_fs_request(const VolumeOptions& options) {
  const std::string type = fs_type(options);
  const auto kind = std::ranges::find(kKinds, type, &Kind::type);
  if (kind == kKinds.end())
    return fail(Code::kInvalid, "volume option fstype={} is not known; use ext4 or xfs",
                shown(type));
  if (!has_tool(std::string(kind->mkfs)))
    return fail(Code::kUnsupported,
                "volume option fstype={} is not available here: there is no {}; install the "
                "package {}",
                type, kind->mkfs, kind->package);
  if (options.size && (*options.size < kind->smallest || *options.size > kLargest))
    return fail(Code::kInvalid, "volume option size={} is out of range: {} takes {} to {}",
                format_size(*options.size), type, format_size(kind->smallest),
                format_size(kLargest));
  if (!options.encrypt.empty() && type != "ext4")
    return fail(Code::kUnsupported,
                "volume option encrypt is not available with fstype={}; leave fstype out, or use "
                "ext4",
                type);
  if (options.inodes && type == "xfs")
    return fail(Code::kUnsupported,
                "volume option inodes is not available with fstype=xfs: it makes them as they are "
                "needed; leave it out");
  return {};
}

Status make_filesystem(const NewFilesystem& what) {
  const bool ext4 = what.type == "ext4";
  return status_of(
      run_tool({.action = fmt::format("make an {} file system in {}", what.type, what.path),
                .argv = ext4 ? mkfs_ext4(what) : mkfs_xfs(what),
                .deadline = kMkfsDeadline,
                .package = ext4 ? "e2fsprogs" : "xfsprogs"}));
}

Result<CheckReport> check_filesystem(const std::string& path, const std::string& type,
                                     bool repair) {
  return type == "xfs" ? check_xfs(path, repair) : check_ext4(path, repair);
}

namespace {

// The least size in bytes that resize2fs(8) estimates. It prints a number of blocks at the end of
// its last line.
Result<std::uint64_t> least_size(const std::string& path) {
  TRY(const auto result, run_tool({.action = fmt::format("ask for the least size of {}", path),
                                   .argv = {"resize2fs", "-P", path},
                                   .deadline = kFsckDeadline,
                                   .package = "e2fsprogs"}));
  std::string text = result.out;
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back())) != 0)
    text.pop_back();
  std::uint64_t blocks = 0;
  const std::size_t at = text.find_last_not_of("0123456789") + 1;
  const auto read = std::from_chars(text.data() + at, text.data() + text.size(), blocks);
  if (read.ec != std::errc{} || blocks == 0 || blocks > kLargest / kFsBlock)
    return fail(Code::kIo, "resize2fs -P does not tell the least size");
  return blocks * kFsBlock;
}

tl::unexpected<Error> too_small(const std::string& path, std::uint64_t size) {
  const auto least = least_size(path);
  if (!least)
    return fail(Code::kExhausted, "its files need more than {}; delete some, or take a larger size",
                format_size(size));
  return fail(Code::kExhausted,
              "it needs at least {} MiB, more than {}; delete some files, or take that size",
              (*least + kMiB - 1) / kMiB, format_size(size));
}

// The copy takes the place of the original, so a fault of resize2fs would be a loss.
Status check_resized(const std::string& path) {
  const auto report = check_ext4(path, false);
  if (report && report->clean) return {};
  std::string how = "e2fsck does not say how";
  if (!report)
    how = report.error().text;
  else if (!report->findings.empty())
    how = report->findings.back();
  return fail(Code::kIo,
              "the resized copy is damaged, so that the volume stays as it is: {}; export it and "
              "import it with the other size",
              how);
}

}  // namespace

Result<bool> repair_safely(const std::string& path, const std::string& type) {
  if (type != "ext4") return false;
  TRY(const auto result, run_tool({.action = fmt::format("repair the ext4 file system in {}", path),
                                   .argv = {"e2fsck", "-f", "-p", path},
                                   .deadline = kFsckDeadline,
                                   .package = "e2fsprogs",
                                   .accepted = {0, 1, 2, 4}}));
  return result.exit_code < 4;
}

Status resize_ext4(const std::string& path, std::uint64_t size) {
  TRY(const auto checked, check_ext4(path, true));  // resize2fs requires it
  if (!checked.clean)
    return fail(Code::kIo, "resize the ext4 file system in {}: it is damaged; check it first",
                path);
  const auto done = run_tool({.action = fmt::format("resize the ext4 file system in {}", path),
                              .argv = {"resize2fs", path, fmt::format("{}K", size / 1024)},
                              .deadline = kFsckDeadline,
                              .package = "e2fsprogs"});
  if (done) return check_resized(path);
  const std::string& words = done.error().text;
  if (words.find("smaller than minimum") != std::string::npos ||
      words.find("Not enough space") != std::string::npos)
    return too_small(path, size);
  return fail(done.error());
}

}  // namespace fairlead::volume
