#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "plugin-api/metrics/collectors.h"

namespace fairlead::metrics {

namespace {

// /proc/self/stat (proc(5)): the fields from the third on; the second, in brackets, may hold blanks.
Result<std::vector<double>> stat_fields() {
  std::ifstream file("/proc/self/stat");
  std::string line;
  if (!std::getline(file, line)) return fail_errno(errno, "read /proc/self/stat");
  std::istringstream rest(line.substr(std::min(line.rfind(')') + 1, line.size())));
  std::string state;
  rest >> state;
  std::vector<double> fields{0};
  for (double value = 0; rest >> value;) fields.push_back(value);
  constexpr std::size_t kLastNeeded = 24;
  if (fields.size() <= kLastNeeded - 3)
    return fail(Code::kIo, "read /proc/self/stat: it has too few fields");
  return fields;
}

// In seconds since the epoch, from /proc/stat.
double boot_time() {
  std::ifstream file("/proc/stat");
  for (std::string word; file >> word;)
    if (double value = 0; word == "btime" && file >> value) return value;
  return 0;
}

double open_files() {
  std::error_code error;
  double count = 0;
  for (auto entry = std::filesystem::directory_iterator("/proc/self/fd", error);
       !error && entry != std::filesystem::directory_iterator(); entry.increment(error))
    ++count;
  return std::max(0.0, count - 1);  // without the folder that is read
}

Result<Families> collect() {
  TRY(const auto stat, stat_fields());
  const auto field = [&](std::size_t number) { return stat[number - 3]; };  // as proc(5) counts
  const auto ticks = static_cast<double>(::sysconf(_SC_CLK_TCK));
  const auto page = static_cast<double>(::sysconf(_SC_PAGESIZE));
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  Families families;
  const auto gauge = [&](const char* name, const char* help, double value) {
    families.push_back({.name = name, .help = help, .type = Type::kGauge, .samples = {}});
    families.back().add({}, value);
  };
  families.push_back({.name = "process_cpu_seconds",
                      .help = "Total user and system CPU time spent in seconds.",
                      .type = Type::kCounter,
                      .samples = {}});
  families.back().add({}, (field(14) + field(15)) / ticks);
  gauge("process_start_time_seconds", "Start time of the process since unix epoch in seconds.",
        boot_time() + field(22) / ticks);
  gauge("process_virtual_memory_bytes", "Virtual memory size in bytes.", field(23));
  gauge("process_resident_memory_bytes", "Resident memory size in bytes.", field(24) * page);
  gauge("process_threads", "Number of OS threads in the process.", field(20));
  gauge("process_open_fds", "Number of open file descriptors.", open_files());
  gauge("process_max_fds", "Maximum number of open file descriptors.",
        static_cast<double>(files.rlim_cur));
  return families;
}

}  // namespace

Collector process_collector() { return {"process", collect}; }

Collector build_collector(std::string version) {
  return {"build", [version = std::move(version)]() -> Result<Families> {
            Family info{.name = "fairlead_build",
                        .help = "The version that runs, as a label.",
                        .type = Type::kInfo};
            info.add({{"version", version}}, 1);
            return Families{std::move(info)};
          }};
}

}  // namespace fairlead::metrics
