#include "plugin-api/bin/manual.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "plugin-api/bin/config_words.h"
#include "plugin-api/cli/roff.h"

namespace fairlead {

namespace {

using cli::ManualImprint;
using cli::ManualPage;
using cli::Roff;

std::string_view take_line(std::string_view& text) {
  const std::size_t end = std::min(text.find('\n'), text.size());
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return line;
}

// Takes what stands before the first run of spaces at or behind `from`, and these.
std::string_view take_column(std::string_view& line, std::string_view gap) {
  const std::size_t end = std::min(line.find(gap), line.size());
  const std::string_view column = line.substr(0, end);
  line.remove_prefix(std::min(line.find_first_not_of(' ', end), line.size()));
  return column;
}

// "  --run-dir DIR       locks and the API socket                    (/run/fairlead)"
void add_flag(Roff& page, std::string_view line) {
  line.remove_prefix(line.find_first_not_of(' '));
  const std::string_view flag = take_column(line, " ");
  std::string_view argument;
  if (!line.empty() && line.front() >= 'A' && line.front() <= 'Z')
    argument = take_column(line, " ");
  std::string meaning(take_column(line, "  "));
  if (!meaning.empty()) meaning[0] = static_cast<char>(std::toupper(meaning[0]));
  page.term(flag, argument,
            line.empty() ? fmt::format("{}.", meaning) : fmt::format("{} {}.", meaning, line));
}

void add_example(Roff& page) {
  page.heading("EXAMPLE").example(R"({
  "log_level": "debug",
  "bind_roots": ["/srv"],
  "cluster": { "etcd": ["https://10.0.0.1:2379"], "address": "eth1" }
})");
}

ManualPage plugin_page(std::string_view name, std::string_view summary,
                       const std::vector<std::string_view>& paragraphs,
                       const ManualImprint& imprint) {
  Roff page(name, 8, imprint.date, imprint.source());
  page.name(name, summary).heading("DESCRIPTION");
  for (const std::string_view text : paragraphs) page.paragraph(text);
  page.heading("SEE ALSO").paragraph("fairlead(1), fairleadd(8), fairlead.json(5)");
  return {std::string(name), 8, page.text()};
}

}  // namespace

ManualPage daemon_page(std::string_view usage, const ManualImprint& imprint) {
  Roff page("fairleadd", 8, imprint.date, imprint.source());
  const std::string_view title = take_line(usage);
  page.name("fairleadd", title.substr(title.find(": ") + 2));
  page.heading("SYNOPSIS").usage("fairleadd", "[OPTIONS]");
  page.heading("OPTIONS");
  std::string rest;
  while (!usage.empty()) {
    const std::string_view line = take_line(usage);
    if (line.starts_with("  "))
      add_flag(page, line);
    else if (!line.empty() && !line.starts_with("Usage:"))
      rest += std::string(line) + "\n";
  }
  page.heading("DESCRIPTION");
  while (rest.ends_with('\n')) rest.pop_back();
  page.paragraph(rest);
  page.heading("FILES");
  page.term("/etc/fairlead/fairlead.json", "", "The configuration: fairlead.json(5).");
  page.term("/run/fairlead/api.sock", "",
            "The socket of the API, for root and the group fairlead.");
  page.term("/run/docker/plugins/fairlead.sock", "", "The socket that dockerd and podman ask.");
  page.term("/var/lib/fairlead", "", "The store, and volumes.");
  page.heading("SEE ALSO").paragraph("fairlead(1), fairlead.json(5), systemctl(1)");
  return {"fairleadd", 8, page.text()};
}

ManualPage config_page(const ManualImprint& imprint) {
  Roff page("fairlead.json", 5, imprint.date, imprint.source());
  page.name("fairlead.json", "the configuration of Fairlead").heading("DESCRIPTION");
  page.paragraph(
      "All of Fairlead's programs read /etc/fairlead/fairlead.json, if it is there: one JSON "
      "object. The environment goes over it, and flags go over that. Every key is optional; "
      "unknown ones are refused.");
  page.heading("KEYS");
  for (const ConfigWords& words : config_words())
    page.term(words.key, "",
              fmt::format("{} Default: {}.{}", words.meaning, words.value,
                          words.at_reload ? " SIGHUP takes it up at once." : ""));
  add_example(page);
  page.heading("SEE ALSO").paragraph("fairlead(1), fairleadd(8)");
  return {"fairlead.json", 5, page.text()};
}

std::vector<ManualPage> plugin_pages(const ManualImprint& imprint) {
  return {
      plugin_page(
          "fairlead-cni", "Fairlead as a CNI plugin",
          {"Runtimes start it for each container, as /opt/cni/bin/fairlead, by a conflist in "
           "/etc/cni/net.d with \"type\": \"fairlead\". The environment (CNI_COMMAND and the like) "
           "and a configuration on stdin say what is to be done; it prints its answer as JSON.",
           "It hands the call to fairleadd(8) at /run/fairlead/api.sock. Where no daemon runs, "
           "fairlead-cni-local does the work in its place.",
           "FAIRLEAD_CONFIG, FAIRLEAD_RUN_DIR and FAIRLEAD_STATE_DIR in the runtime's environment "
           "name another daemon. \"fairlead cni install\" puts the plugin where runtimes look for "
           "it: fairlead-cni(1) has the commands."},
          imprint),
      plugin_page(
          "fairlead-netavark", "Fairlead as Podman's network plugin",
          {"Podman starts it, by netavark, for networks of the driver fairlead: \"podman network "
           "create --driver fairlead shop\". It reads JSON on stdin, and prints its answer as "
           "JSON.",
           "It hands the call to fairleadd(8) at /run/fairlead/api.sock. Where no daemon runs, "
           "fairlead-netavark-local does the work in its place.",
           "\"fairlead podman install\" puts it where Podman looks for plugins, and with --drop-in "
           "in netavark's own place: fairlead-podman(1)."},
          imprint),
  };
}

}  // namespace fairlead
