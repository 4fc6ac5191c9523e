// fairleadd: serves Docker's plugin socket and Fairlead's API socket, and watches the kernel. Runs
// in the foreground.
#include <fmt/ranges.h>
#include <getopt.h>
#include <grp.h>
#include <malloc.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <set>
#include <thread>

#include "base/log.h"
#include "network/kernel/events/monitor.h"
#include "network/kernel/host/netns.h"
#include "network/kernel/links/altname.h"
#include "network/nat/nat.h"
#include "plugin-api/bin/backup_thread.h"
#include "plugin-api/bin/cluster.h"
#include "plugin-api/bin/config.h"
#include "plugin-api/bin/core.h"
#include "plugin-api/bin/daemon_metrics.h"
#include "plugin-api/bin/docker_names.h"
#include "plugin-api/bin/doctor.h"
#include "plugin-api/bin/instance.h"
#include "plugin-api/bin/name_service.h"
#include "plugin-api/bin/netavark_host.h"
#include "plugin-api/bin/notify.h"
#include "plugin-api/bin/podman_folder.h"
#include "plugin-api/bin/repair.h"
#include "plugin-api/bin/stop.h"
#include "plugin-api/bin/ui_page.h"
#include "plugin-api/bin/version.h"
#include "plugin-api/bin/volumes.h"
#include "plugin-api/bin/watchdog.h"
#include "plugin-api/cni/cni_handler.h"
#include "plugin-api/docker/docker_handler.h"
#include "plugin-api/engine/restarts.h"
#include "plugin-api/hooks/container_hooks.h"
#include "plugin-api/http/listen_tcp.h"
#include "plugin-api/http/server.h"
#include "plugin-api/native/codec.h"
#include "plugin-api/native/native_handler.h"
#include "plugin-api/netavark/netavark_handler.h"
#include "volume/kernel/freeze.h"

namespace fairlead {
namespace {

constexpr const char* kUsage =
    R"(fairleadd: networks and volumes for containers, as plugins for every runtime

Usage: fairleadd [options]

  --plugin-dir DIR    Docker's and Podman's socket goes here      (/run/docker/plugins)
  --run-dir DIR       locks and the API socket                    (/run/fairlead)
  --state-dir DIR     the state database                          (/var/lib/fairlead)
  --volume-dir DIR    data of volumes                             (/var/lib/fairlead/volumes)
  --config FILE       configuration                               (/etc/fairlead/fairlead.json)
  --ui ADDRESS:PORT   a page that shows this host in a browser    (none; 127.0.0.1:7780 is usual)
  --ui-write          the page may also change things             (it only shows)
  --log-level LEVEL   debug, info, warn or error                  (info)
  --log-format FORMAT text or json                                (text)
  --version           print the version
  --help              print this

It stays in the foreground and logs to stderr. SIGTERM ends it; containers keep their networks and volumes.
SIGHUP reads the configuration again.
)";

[[noreturn]] void leave(int code, const std::string& text) {
  std::fputs(text.c_str(), code == 0 ? stdout : stderr);
  std::exit(code);
}

Flags parse_flags(int argc, char** argv) {
  const option options[] = {{"plugin-dir", required_argument, nullptr, 'p'},
                            {"run-dir", required_argument, nullptr, 'r'},
                            {"state-dir", required_argument, nullptr, 's'},
                            {"volume-dir", required_argument, nullptr, 'v'},
                            {"config", required_argument, nullptr, 'c'},
                            {"log-level", required_argument, nullptr, 'l'},
                            {"log-format", required_argument, nullptr, 'f'},
                            {"ui", required_argument, nullptr, 'u'},
                            {"ui-write", no_argument, nullptr, 'w'},
                            {"version", no_argument, nullptr, 'V'},
                            {"help", no_argument, nullptr, 'h'},
                            {nullptr, 0, nullptr, 0}};
  Flags flags;
  for (int flag = 0; (flag = getopt_long(argc, argv, "h", options, nullptr)) != -1;) {
    switch (flag) {
      case 'p':
        flags.plugin_dir = optarg;
        break;
      case 'r':
        flags.run_dir = optarg;
        break;
      case 's':
        flags.state_dir = optarg;
        break;
      case 'v':
        flags.volume_dir = optarg;
        break;
      case 'l':
        flags.log_level = optarg;
        break;
      case 'f':
        flags.log_format = optarg;
        break;
      case 'c':
        flags.config = optarg;
        break;
      case 'u':
        flags.ui = optarg;
        break;
      case 'w':
        flags.ui_write = true;
        break;
      case 'V':
        leave(0, fmt::format("fairleadd {}\n", kVersion));
      case 'h':
        leave(0, kUsage);
      default:
        leave(2, "try `fairleadd --help`\n");
    }
  }
  if (optind < argc)
    leave(2, fmt::format("fairleadd: unexpected argument \"{}\"; try `fairleadd --help`\n",
                         argv[optind]));
  return flags;
}

cni::NetnsOpener netns_opener() {
  return {.open = kernel::open_netns, .is_own = [](int fd) {
            const auto own = kernel::current_netns();
            if (!own) return false;
            const auto own_id = kernel::netns_id(own->get()), other_id = kernel::netns_id(fd);
            return own_id && other_id && *own_id == *other_id;
          }};
}

// The group of the API socket; root's group when the host does not have the configured one.
std::string api_group_of(const Config& config) {
  if (config.api_group.empty() || getgrnam(config.api_group.c_str()) != nullptr)
    return config.api_group;
  log::info("no such group: the API socket is root's alone",
            {{"group", config.api_group}, {"hint", "groupadd --system " + config.api_group}});
  return {};
}

// Whether this daemon also listens at the default path. fairlead-cni reads no configuration and
// connects there, so the daemon with the host's configuration listens there even when the
// configuration names another folder. A daemon with a configuration, an environment or flags of its
// own does not.
bool answers_at_default_place(const Config& config) {
  const auto host = read_config(kConfigFile, Presence::kOptional, {});
  return host && host->paths.run_dir == config.paths.run_dir &&
         host->paths.state_dir == config.paths.state_dir && host->paths.run_dir != Paths().run_dir;
}

// By thin clients.
bool is_thin(const http::Request& request) {
  return request.path == "/v1/cni" || request.path == "/v1/netavark";
}

// Their calls are about networks alone.
http::Work api_work(const http::Request& request) {
  // Others' scrapes wait for nobody's calls of networks, and these not for them.
  if (metrics::is_scrape(request)) return http::Work::kVolume;
  return is_thin(request) ? http::Work::kNetwork : native::work_of(request);
}

// The listening sockets: those that systemd passed, and our own where it passed none. Passed
// sockets are recognised by their names and may be at other paths. The group of the API socket
// comes from the configuration, so that a unit need not name it.
class Listeners {
 public:
  Listeners(const Config& config, const http::Handler& docker, const http::Handler& api)
      : plugin_{config.paths.plugin_socket(), 0600, "", docker, docker::work_of},
        api_{config.paths.api_socket(), 0660, api_group_of(config), api, api_work},
        fixed_(answers_at_default_place(config)) {}

  Result<std::vector<http::Listener>> open() && {
    for (http::PassedSocket& passed : http::passed_sockets()) take(std::move(passed));
    TRY_STATUS(serve(plugin_, plugin_.path));
    TRY_STATUS(serve(api_, api_.path));
    if (fixed_)
      if (auto opened = serve(api_, Paths().api_socket()); !opened)
        log::warn("fairlead-cni will not find this daemon", {{"error", opened.error().text}});
    return std::move(listeners_);
  }

 private:
  struct Kind {
    std::string path;
    unsigned mode;
    std::string group;
    const http::Handler& handler;
    http::Classify classify;
  };

  static std::filesystem::path name_of(const std::string& path) {
    return std::filesystem::path(path).filename();
  }

  // std::filesystem::equivalent() does not compare sockets.
  static bool same_file(const std::string& one, const std::string& other) {
    struct stat a {
    }, b{};
    return ::stat(one.c_str(), &a) == 0 && ::stat(other.c_str(), &b) == 0 && a.st_dev == b.st_dev &&
           a.st_ino == b.st_ino;
  }

  void take(http::PassedSocket passed) {
    const bool plugin = name_of(passed.path) == name_of(plugin_.path);
    if (!plugin && name_of(passed.path) != name_of(api_.path))
      return log::warn("ignoring a socket that systemd passed: its name is not known",
                       {{"socket", passed.path}});
    const Kind& kind = plugin ? plugin_ : api_;
    if (auto given = http::give_access(passed.path, kind.mode, kind.group); !given)
      log::warn("a passed socket keeps its permissions", {{"error", given.error().text}});
    passed_.push_back(passed.path);
    listeners_.push_back({std::move(passed.socket), "", kind.handler, kind.classify});
  }

  Status serve(const Kind& kind, const std::string& path) {
    for (const std::string& other : passed_)
      if (same_file(other, path)) return {};
    TRY(auto socket, http::listen_unix(path, kind.mode, kind.group));
    listeners_.push_back({std::move(socket), path, kind.handler, kind.classify});
    return {};
  }

  const Kind plugin_, api_;
  const bool fixed_;
  std::vector<std::string> passed_;
  std::vector<http::Listener> listeners_;
};

http::Response misdirected(const Error& error) {
  constexpr int kMisdirectedRequest = 421;
  const auto problem =
      native::encode_problem(error, kMisdirectedRequest, "Another instance answers here");
  return {.status = kMisdirectedRequest,
          .content_type = "application/problem+json",
          .body = problem.dump(),
          .headers = {}};
}

// In this process, over the core that it has open.
std::unique_ptr<doctor::Doctor> make_own_doctor(const Config& config, Core& core) {
  return make_doctor({.config = config,
                      .core = [&core](const Config&) -> Result<std::shared_ptr<Core>> {
                        return std::shared_ptr<Core>(std::shared_ptr<Core>(), &core);
                      },
                      .cni = {.folders = kCniFolders},
                      .podman = {.folders = kNetavarkFolders}});
}

// What answers at the API's socket. Everything borrowed must outlive the result.
http::Handler make_api_handler(const Config& config, Core& core, DaemonMetrics& metrics,
                               doctor::Doctor& doctor) {
  const auto native =
      metrics.of_native(native::make_native_handler({.networks = core.networks(),
                                                     .volumes = core.volumes(),
                                                     .pools = core.volume_pools(),
                                                     .jobs = core.volume_jobs(),
                                                     .groups = core.volume_groups(),
                                                     .cluster = core.cluster(),
                                                     .open_netns = kernel::open_netns,
                                                     .changes = &core.changes(),
                                                     .version = std::string(kVersion),
                                                     .doctor = &doctor}));
  const auto netavark = metrics.of_netavark([&core, opener = netns_opener()](const auto& request) {
    return netavark::handle_netavark(request, netavark_services(core),
                                     {opener, bring_up_loopback, kernel::add_altname});
  });
  const auto cni = metrics.of_cni([&core, opener = netns_opener()](const http::Request& request) {
    return cni::handle_cni(request, core.networks(), opener);
  });
  return [instance = Instance(config), native, netavark, cni,
          scrape = metrics.handler()](const http::Request& request) {
    const Status meant =
        is_thin(request) ? instance.accept_thin(request) : instance.accept(request);
    if (!meant) return misdirected(meant.error());
    if (metrics::is_scrape(request)) return scrape(request);
    if (request.path == "/v1/netavark") return netavark(request);
    return is_thin(request) ? cni(request) : native(request);
  };
}

// Where Prometheus is to find /metrics. Without it the daemon does its work all the same.
std::optional<http::Listener> listen_for_scrapes(const Config& config, http::Handler handler) {
  if (!config.metrics_address) return std::nullopt;
  auto socket = http::listen_tcp(*config.metrics_address);
  if (socket)
    return http::Listener{.socket = std::move(*socket), .path = "", .handler = std::move(handler)};
  log::error("metrics are not answered at metrics_address", {{"error", socket.error().text}});
  return std::nullopt;
}

// Done first, because writers on a file system that a killed snapshot left frozen hang and cannot
// be killed.
void thaw_left_overs(const Paths& paths) {
  const auto thawed = volume::thaw_all_beneath(paths.volumes());
  if (!thawed) return log::error("thaw volumes", {{"error", thawed.error().text}});
  for (const std::string& place : *thawed) log::warn("a volume was left frozen", {{"path", place}});
}

// Podman tells nobody which of its networks it has removed.
void collect_podmans(Core& core) {
  const auto services = netavark_services(core);
  netavark::Networks networks(services.networks, services.names, services.surroundings);
  if (const auto collected = networks.collect(); !collected)
    log::warn("collect the networks of Podman", {{"error", collected.error().text}});
}

void look_at_podmans(Core& core, PodmanFolder& folder) {
  if (folder.is_due(::time(nullptr), netavark::Networks::kGrace)) collect_podmans(core);
}

// Says a failure once, and again when it was gone in between: each volume's own is in its health.
class Failures {
 public:
  void tell(const std::vector<std::string>& failures) {
    std::set<std::string> now(failures.begin(), failures.end());
    for (const std::string& failure : now)
      if (!told_.contains(failure)) log::warn("reconcile volumes", {{"error", failure}});
    told_ = std::move(now);
  }

 private:
  std::set<std::string> told_;
};

void reconcile_volumes(Core& core, Failures& failures, DaemonMetrics& metrics) {
  const auto pools = core.volume_pools().reconcile();
  metrics.repaired(Repair::kPools, pools.actions.size());
  for (const std::string& action : pools.actions)
    log::info("reconcile pools", {{"action", action}});
  for (const std::string& failure : pools.failures)
    log::warn("reconcile pools", {{"error", failure}});
  const auto volumes = core.volumes().reconcile();
  if (!volumes) return log::error("reconcile volumes", {{"error", volumes.error().text}});
  metrics.repaired(Repair::kVolumes, volumes->actions.size());
  for (const std::string& action : volumes->actions)
    log::info("reconcile volumes", {{"action", action}});
  failures.tell(volumes->failures);
  // What thousands of records took meanwhile.
  ::malloc_trim(0);
}

void reconcile_networks(Core& core, DaemonMetrics& metrics) {
  log::tell_repeated();
  const auto report = core.networks().reconcile();
  if (report)
    metrics.repaired(Repair::kNetworks, report->actions.size());
  else
    log::error("reconcile networks", {{"error", report.error().text}});
  collect_podmans(core);
}

// Volumes that grow, and disks that become full.
constexpr std::chrono::seconds kSpacePeriod{1};

void watch_space(Core& core) {
  const auto report = core.volumes().watch_space();
  if (!report) return log::warn("watch the space of volumes", {{"error", report.error().text}});
  for (const std::string& action : report->actions) log::info("space", {{"action", action}});
  for (const std::string& failure : report->failures) log::warn("space", {{"error", failure}});
}

// Returns whether everything is repaired.
bool mend(Core& core, const network::Damage& damage, DaemonMetrics& metrics) {
  const auto report = core.mender().mend(damage);
  if (report) metrics.repaired(repair_of(damage), report->actions.size());
  if (!report) log::error("mend networks", {{"error", report.error().text}});
  return report && report->failures.empty();
}

// Rules of iptables-legacy make no events.
constexpr std::chrono::seconds kLookPeriod{1};

void look_around(Core& core, DaemonMetrics& metrics) {
  const auto report = core.mender().look_around();
  if (!report) return log::error("look at other firewalls", {{"error", report.error().text}});
  metrics.repaired(Repair::kOtherFirewalls, report->actions.size());
}

// The same line is written once in this time, and then how often it came.
constexpr std::chrono::seconds kFoldedFor{60};

// Scheduled snapshots are made to the minute.
constexpr std::chrono::seconds kSchedulePeriod{60};
constexpr std::chrono::seconds kNamesPeriod{2};

void keep_schedules(Core& core) {
  const auto report = core.volumes().keep_schedules();
  if (!report) return log::error("keep schedules", {{"error", report.error().text}});
  for (const std::string& action : report->actions)
    log::info("schedule kept", {{"action", action}});
  for (const std::string& failure : report->failures)
    log::warn("schedule not kept", {{"error", failure}});
}

// Receives SIGHUP on a thread of its own; signals are blocked on all others.
class ReloadSignal {
 public:
  explicit ReloadSignal(std::function<void()> reload)
      : thread_([this, reload = std::move(reload)] {
          sigset_t set;
          sigemptyset(&set);
          for (const int number : {SIGHUP, SIGUSR1}) sigaddset(&set, number);
          for (int number = 0; sigwait(&set, &number) == 0 && !ended_;)
            if (number == SIGHUP) reload();
        }) {}
  ~ReloadSignal() {
    ended_ = true;
    pthread_kill(thread_.native_handle(), SIGUSR1);
    thread_.join();
  }
  ReloadSignal(const ReloadSignal&) = delete;
  ReloadSignal& operator=(const ReloadSignal&) = delete;

 private:
  std::atomic<bool> ended_{false};
  std::thread thread_;
};

void block_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGUSR1}) sigaddset(&set, number);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  signal(SIGPIPE, SIG_IGN);
}

// The server bounds what each socket and peer can have open; whoever started us may have allowed
// less than that.
void allow_open_files() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

// As Docker knows it: by the name of its socket.
std::string plugin_name(const Config& config) {
  return std::filesystem::path(config.paths.plugin_socket()).stem();
}

// Of a host that has no names in policies it costs two reads.
void keep_names(Core& core) {
  if (const auto done = core.refresh_names(); !done)
    log::warn("ask for the names of policies", {{"error", done.error().text}});
}

void read_again(const Flags& flags, Core& core, const std::vector<Periodic*>& rounds) {
  const auto fresh = load_config(flags, &std::getenv);
  if (!fresh) return log::error("configuration not read again", {{"error", fresh.error().text}});
  log::configure(fresh->log_level, fresh->log_format);
  for (Periodic* const round : rounds)
    round->set_period(std::chrono::seconds(fresh->reconcile_seconds));
  core.configure(fresh->paths);
  log::info("configuration read again",
            {{"reconcile_seconds", std::to_string(fresh->reconcile_seconds)},
             {"bind_roots", fmt::format("{}", fmt::join(fresh->paths.bind_roots, ","))},
             {"backup_roots", fmt::format("{}", fmt::join(fresh->paths.backup_roots, ","))},
             {"overcommit", fmt::format("{}", fresh->paths.overcommit)}});
}

// What is there is shown and used all the same, so that containers go on.
void tell_read_only(const Paths& paths) {
  for (const std::string& folder : {paths.state_dir, paths.volumes()})
    if (::access(folder.c_str(), W_OK) != 0 && errno == EROFS)
      log::error("nothing can be created, changed or removed: a file system is read-only",
                 {{"folder", folder}, {"hint", "mount it writable, then restart fairleadd"}});
}

Status serve(const Flags& flags, const Config& config) {
  block_signals();
  allow_open_files();
  StopSignal stop_signal;
  const Notifier notifier;
  thaw_left_overs(config.paths);
  StoreTimes etcd;
  TRY(auto core, open_core(config.paths, CoreMode::kDaemon, kMakeVolumes,
                           config.cluster ? make_cluster(config.paths, *config.cluster, etcd)
                                          : MakeCluster()));
  tell_read_only(config.paths);
  const auto names = watch_docker_names(config.docker_socket, core->names());
  DaemonMetrics metrics(*core, etcd);
  const http::Handler docker = metrics.of_docker(
      waking(docker::make_docker_handler(core->networks(), core->pools(), core->volumes()), names));
  const auto doctor = make_own_doctor(config, *core);
  const http::Handler api = make_api_handler(config, *core, metrics, *doctor);
  // The sockets exist before the start-up work is done, so that requests wait in the backlog and
  // are not refused.
  TRY(auto listeners, Listeners(config, docker, api).open());
  std::vector<std::string> sockets = socket_paths(listeners);
  if (auto scrapes = listen_for_scrapes(config, metrics.handler()))
    listeners.push_back(std::move(*scrapes));
  const UiPage page(config, api_group_of(config), core->cluster() != nullptr);
  if (auto listener = page.open(api, api_work)) listeners.push_back(std::move(*listener));
  TRY(auto made, http::make_server(std::move(listeners), {}));
  const std::shared_ptr<http::Server> server = std::move(made);
  stop_signal.stops(server);
  const std::chrono::seconds period(config.reconcile_seconds);
  Periodic reconciler([&] { reconcile_networks(*core, metrics); }, period);
  // Volumes are looked over beside the first requests: each verb puts right what a crash has left of
  // the volume that it is about.
  Failures failures;
  Periodic volumes([&] { reconcile_volumes(*core, failures, metrics); }, period);
  Repairer repairer([&](const network::Damage& damage) { return mend(*core, damage, metrics); },
                    [&] { reconciler.soon(); });
  // Before the first look at everything, so that nothing is missed between the two.
  TRY(auto monitor,
      kernel::start_monitor(std::string(nat::kTable),
                            [&](const kernel::KernelEvent& event) { repairer.on_event(event); }));
  reconcile_networks(*core, metrics);
  volumes.soon();
  if (core->cluster() != nullptr) core->cluster()->start(core->networks(), core->underlay_guard());
  PodmanFolder podmans(netavark::kNetworkFolder);
  Periodic looks(
      [&] {
        look_around(*core, metrics);
        look_at_podmans(*core, podmans);
      },
      kLookPeriod);
  Periodic space([&] { watch_space(*core); }, kSpacePeriod);
  Periodic schedules([&] { keep_schedules(*core); }, kSchedulePeriod);
  std::optional<BackupThread> backups;
  backups.emplace(core->volume_archives());
  std::unique_ptr<NameAnswering> name_service;
  if (config.dns_port != 0) {
    TRY(name_service, NameAnswering::start(*core, config.dns_port));
    metrics.answers_names(name_service.get());
  }
  Periodic policy_names([&] { keep_names(*core); }, kNamesPeriod);
  const ReloadSignal on_reload([&] {
    notifier.reloading();
    read_again(flags, *core, {&reconciler, &volumes});
    notifier.ready();
  });
  log::info("ready", {{"version", kVersion},
                      {"plugin_socket", config.paths.plugin_socket()},
                      {"api_socket", config.paths.api_socket()}});
  notifier.ready();
  std::optional<Watchdog> watchdog;
  watchdog.emplace(notifier, std::move(sockets));
  std::optional<engine::Restarts> restarts;
  if (config.restart_docker_containers && !config.docker_socket.empty())
    restarts.emplace(engine::make_engine(config.docker_socket), plugin_name(config));
  if (server->run()) stop_signal.served();
  notifier.stopping();
  watchdog.reset();
  hooks::end_hooks();
  restarts.reset();
  log::info("stopping");
  backups.reset();
  metrics.answers_names(nullptr);
  name_service.reset();
  monitor.reset();
  if (core->cluster() != nullptr) core->cluster()->stop();
  core->finish();
  log::tell_repeated(log::Repeated::kAll);
  return {};
}

int run(int argc, char** argv) {
  ::umask(022);  // folders have the modes that they are to have, whoever started us
  const Flags flags = parse_flags(argc, argv);
  auto config = load_config(flags, &std::getenv);
  if (!config) leave(1, fmt::format("fairleadd: {}\n", config.error().text));
  if (geteuid() != 0) leave(1, "fairleadd: it needs root: run it with sudo\n");
  log::configure(config->log_level, config->log_format);
  log::fold_repeated(kFoldedFor);
  const Status served = serve(flags, *config);
  if (served) return 0;
  log::error("cannot run", {{"error", served.error().text}});
  return 1;
}

}  // namespace
}  // namespace fairlead

int main(int argc, char** argv) { return fairlead::run(argc, argv); }
