#include "volume/kernel/run_tool.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>

namespace fairlead::volume {

namespace {

constexpr std::size_t kMostWords = 300;

bool is_program(const std::string& path) { return ::access(path.c_str(), X_OK) == 0; }

// The end of what a tool wrote, where the cause is, as one line.
std::string one_line(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  if (text.size() > kMostWords) text = "..." + text.substr(text.size() - kMostWords);
  std::string line;
  for (const char c : text) {
    if (c != '\n')
      line += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
    else if (!line.ends_with("; "))
      line += "; ";
  }
  return line;
}

}  // namespace

std::string find_program(const std::string& name) {
  constexpr std::array<const char*, 4> kFolders{"/usr/sbin", "/usr/bin", "/sbin", "/bin"};
  for (const char* folder : kFolders)
    if (const auto path = fmt::format("{}/{}", folder, name); is_program(path)) return path;
  const char* variable = std::getenv("PATH");
  std::string_view rest = variable == nullptr ? "" : variable;
  while (!rest.empty()) {
    const auto colon = rest.find(':');
    const auto path = fmt::format("{}/{}", rest.substr(0, colon), name);
    if (path.starts_with('/') && is_program(path)) return path;
    rest.remove_prefix(colon == std::string_view::npos ? rest.size() : colon + 1);
  }
  return "";
}

bool has_tool(const std::string& name) { return !find_program(name).empty(); }

Result<ProcessResult> run_tool(const Tool& tool) {
  const std::string program = find_program(tool.argv.at(0));
  if (program.empty())
    return fail(Code::kUnsupported, "{}: there is no {} on this host; install the package {}",
                tool.action, tool.argv[0], tool.package);
  std::vector<std::string> argv = tool.argv;
  argv[0] = program;
  auto result = run_process(argv, tool.deadline);
  if (!result) return fail(with_context(result.error(), tool.action));
  if (std::ranges::find(tool.accepted, result->exit_code) != tool.accepted.end()) return result;
  const std::string words = one_line(result->err.empty() ? result->out : result->err);
  return fail(Code::kIo, "{}: {} ended with {}{}{}", tool.action, tool.argv[0], result->exit_code,
              words.empty() ? "" : ": ", words);
}

}  // namespace fairlead::volume
