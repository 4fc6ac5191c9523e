#include "plugin-api/bin/name_service.h"

#include "base/host.h"
#include "base/log.h"

namespace fairlead {

namespace {

// What could not be told is told again.
constexpr std::chrono::seconds kTellPeriod{5};

network::NameServer as_told(const dns::Served& served) {
  return {served.place.network, served.place.address, served.port, served.problem};
}

}  // namespace

NameAnswering::NameAnswering(Core& core)
    : core_(core),
      directory_(dns::make_directory(dns::service_ports_of_host())),
      teller_([this] { tell(); }, kTellPeriod) {}

Result<std::unique_ptr<NameAnswering>> NameAnswering::start(Core& core, std::uint16_t port) {
  std::unique_ptr<NameAnswering> made(new NameAnswering(core));
  NameAnswering& self = *made;
  const dns::ServerEvents events{.on_served =
                                     [&self](const std::vector<dns::Served>& all) {
                                       {
                                         const std::scoped_lock hold(self.guard_);
                                         self.told_.places.clear();
                                         for (const dns::Served& served : all)
                                           self.told_.places.push_back(as_told(served));
                                       }
                                       self.teller_.soon();
                                     },
                                 .on_upstreams =
                                     [&self](const std::vector<IpAddress>& upstreams) {
                                       {
                                         const std::scoped_lock hold(self.guard_);
                                         self.told_.upstreams = upstreams;
                                       }
                                       self.teller_.soon();
                                     }};
  TRY(self.server_, dns::start_server(*self.directory_, {.port = port}, events));
  self.follower_ = dns::follow({.changes = core.changes(),
                                .service = core.networks(),
                                .directory = *self.directory_,
                                .boot_id = boot_id(),
                                .on_places = [&self](std::vector<dns::Place> places) {
                                  self.server_->serve(std::move(places));
                                }});
  self.teller_.soon();
  return made;
}

NameAnswering::~NameAnswering() {
  follower_.reset();
  server_.reset();
  {
    const std::scoped_lock hold(guard_);
    told_ = {};
  }
  tell();
}

void NameAnswering::tell() {
  const std::scoped_lock in_order(telling_);
  network::NameServers servers;
  {
    const std::scoped_lock hold(guard_);
    servers = told_;
  }
  if (const Status told = core_.names().serve(servers); !told)
    log::warn("tell where names are answered", {{"error", told.error().text}});
}

}  // namespace fairlead
