#include "network/dns/directory.h"

#include <mutex>
#include <utility>

#include "network/dns/answer.h"
#include "network/dns/resolve.h"
#include "network/dns/scan.h"
#include "network/dns/tables.h"

namespace fairlead::dns {

namespace {

constexpr std::uint16_t kClassIn = 1, kClassAny = 255;  // RFC 1035 sections 3.2.4, 3.2.5
// Transfers of zones and keys, and what was thought of for mail (RFC 6895 section 3.1).
constexpr std::uint16_t kFirstMetaType = 249, kLastMetaType = 254, kTypeOpt = 41;

// What is wrong with a query before anybody looks at the name; kNoError: nothing.
Rcode problem_of(const Scan& query) {
  if (query.opcode() != 0) return Rcode::kNotImp;
  if (!query.whole || !query.question || query.answers != 0 || query.authorities != 0)
    return Rcode::kFormErr;
  if (query.edns && query.edns->version > 0) return Rcode::kBadVers;  // RFC 6891 section 6.1.3
  const Question& question = *query.question;
  if (question.type == kTypeOpt) return Rcode::kFormErr;
  // Names in other classes are other names, which neither containers have nor those who would be asked (RFC 8906 section 3).
  if (question.klass != kClassIn && question.klass != kClassAny) return Rcode::kRefused;
  if (question.type >= kFirstMetaType && question.type <= kLastMetaType) return Rcode::kRefused;
  return Rcode::kNoError;
}

class TheDirectory : public Directory {
 public:
  explicit TheDirectory(ServicePorts services)
      : services_(std::move(services)), tables_(std::make_unique<Tables>()) {}

  Reply answer(const Query& query) override {
    const auto asked = scan(query.message);
    if (!asked || !asked->is_query()) return Ignore();
    if (const Rcode problem = problem_of(*asked); problem != Rcode::kNoError)
      return bare_answer(*asked, problem);
    auto found = look_up(query, *asked->question);
    if (auto* forward = std::get_if<Forward>(&found)) return std::move(*forward);
    return wire_of(std::get<Answer>(found), *asked);
  }

  void put(Zone zone) override {
    const std::scoped_lock lock(guard_);
    tables_->put(std::move(zone));
  }
  void remove_zone(const std::string& network) override {
    const std::scoped_lock lock(guard_);
    tables_->remove_zone(network);
  }
  void put(Host host) override {
    const std::scoped_lock lock(guard_);
    tables_->put(std::move(host));
  }
  void remove_host(const std::string& network, const std::string& endpoint) override {
    const std::scoped_lock lock(guard_);
    tables_->remove_host(network, endpoint);
  }

  void replace(std::vector<Zone> zones, std::vector<Host> hosts) override {
    auto tables = std::make_unique<Tables>();
    for (Zone& zone : zones) tables->put(std::move(zone));
    for (Host& host : hosts) tables->put(std::move(host));
    const std::scoped_lock lock(guard_);
    tables_.swap(tables);
  }  // the tables of before go without the lock

 private:
  std::variant<Answer, Forward> look_up(const Query& query, const Question& question) {
    const std::scoped_lock lock(guard_);
    return resolve(*tables_, services_, {query.client, query.network}, question);
  }

  const ServicePorts services_;
  std::mutex guard_;
  std::unique_ptr<Tables> tables_;
};

}  // namespace

std::unique_ptr<Directory> make_directory(ServicePorts services) {
  return std::make_unique<TheDirectory>(std::move(services));
}

}  // namespace fairlead::dns
