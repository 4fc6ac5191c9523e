#include "network/dns/answer.h"

#include <cstdlib>
#include <memory>

#include "network/dns/ldns.h"

namespace fairlead::dns {

namespace {

template <auto kFree>
struct Freed {
  template <class T>
  void operator()(T* from_ldns) const {
    kFree(from_ldns);
  }
};
using Packet = std::unique_ptr<ldns_pkt, Freed<ldns_pkt_free>>;
using Record = std::unique_ptr<ldns_rr, Freed<ldns_rr_free>>;
using Data = std::unique_ptr<ldns_rdf, Freed<ldns_rdf_deep_free>>;
using Bytes = std::unique_ptr<std::uint8_t, Freed<std::free>>;

constexpr std::size_t kMaxMessage = 65535;

Data name_of(const std::string& key) {
  std::string name = key;
  name.push_back('\0');
  return Data(ldns_dname_new_frm_data(static_cast<std::uint16_t>(name.size()), name.data()));
}

// A packet that is being written. Whatever ldns could not make fails the whole of it.
class Writer {
 public:
  explicit Writer(const Scan& query) : packet_(ldns_pkt_new()), ok_(packet_ != nullptr) {
    if (!ok_) return;
    ldns_pkt_set_id(packet_.get(), query.id);
    ldns_pkt_set_qr(packet_.get(), true);
    ldns_pkt_set_ra(packet_.get(), true);
    ldns_pkt_set_rd(packet_.get(), (query.flags & kFlagRd) != 0);
    ldns_pkt_set_cd(packet_.get(), (query.flags & kFlagCd) != 0);
    put_question(*query.question);
    if (!query.edns) return;
    ldns_pkt_set_edns_udp_size(packet_.get(), kOwnUdpSize);
    ldns_pkt_set_edns_do(packet_.get(), query.edns->dnssec_ok);
  }

  void set_rcode(Rcode rcode) {
    if (!ok_) return;
    ldns_pkt_set_rcode(packet_.get(), static_cast<std::uint8_t>(rcode));
    ldns_pkt_set_aa(packet_.get(), rcode == Rcode::kNoError || rcode == Rcode::kNxDomain);
  }

  void put(ldns_pkt_section section, const std::string& owner, ldns_rr_type type,
           std::initializer_list<Data*> data) {
    Record record(ldns_rr_new());
    if (!check(record != nullptr)) return;
    ldns_rr_set_owner(record.get(), name_of(owner).release());
    ldns_rr_set_type(record.get(), type);
    ldns_rr_set_class(record.get(), LDNS_RR_CLASS_IN);
    ldns_rr_set_ttl(record.get(), kTtl);
    for (Data* field : data) {
      if (!check(*field != nullptr && ldns_rr_push_rdf(record.get(), field->get()))) return;
      (void)field->release();
    }
    if (check(ldns_rr_owner(record.get()) != nullptr) &&
        check(ldns_pkt_push_rr(packet_.get(), section, record.get())))
      (void)record.release();
  }

  std::optional<Message> done() {
    if (!ok_) return std::nullopt;
    std::uint8_t* wire = nullptr;
    std::size_t size = 0;
    const bool written = ldns_pkt2wire(&wire, packet_.get(), &size) == LDNS_STATUS_OK;
    const Bytes owned(wire);
    if (!written || size > kMaxMessage) return std::nullopt;
    return Message(wire, wire + size);
  }

 private:
  bool check(bool ok) {
    ok_ = ok_ && ok;
    return ok_;
  }

  void put_question(const Question& question) {
    Record record(ldns_rr_new());
    if (!check(record != nullptr)) return;
    ldns_rr_set_question(record.get(), true);
    ldns_rr_set_owner(record.get(), name_of(question.name).release());
    ldns_rr_set_type(record.get(), static_cast<ldns_rr_type>(question.type));
    ldns_rr_set_class(record.get(), static_cast<ldns_rr_class>(question.klass));
    if (check(ldns_rr_owner(record.get()) != nullptr) &&
        check(ldns_pkt_push_rr(packet_.get(), LDNS_SECTION_QUESTION, record.get())))
      (void)record.release();
  }

  Packet packet_;
  bool ok_;
};

void put_address(Writer& into, ldns_pkt_section section, const std::string& owner,
                 const IpAddress& address) {
  Data data(ldns_rdf_new_frm_data(address.is_v4() ? LDNS_RDF_TYPE_A : LDNS_RDF_TYPE_AAAA,
                                  address.bytes().size(), address.bytes().data()));
  into.put(section, owner, address.is_v4() ? LDNS_RR_TYPE_A : LDNS_RR_TYPE_AAAA, {&data});
}

void put_pointer(Writer& into, const std::string& owner, const std::string& target) {
  Data name = name_of(target);
  into.put(LDNS_SECTION_ANSWER, owner, LDNS_RR_TYPE_PTR, {&name});
}

Data number16(std::uint16_t number) {
  return Data(ldns_native2rdf_int16(LDNS_RDF_TYPE_INT16, number));
}

void put_service(Writer& into, const std::string& owner, const ServiceRecord& service) {
  Data priority = number16(0), weight = number16(0), port = number16(service.port),
       target = name_of(service.target);
  into.put(LDNS_SECTION_ANSWER, owner, LDNS_RR_TYPE_SRV, {&priority, &weight, &port, &target});
  for (const IpAddress& address : service.addresses)
    put_address(into, LDNS_SECTION_ADDITIONAL, service.target, address);
}

// As RFC 6303 section 3 has it for zones that are nobody's: the name of the zone for the server, and "nobody.invalid".
void put_authority(Writer& into, ldns_pkt_section section, const std::string& zone) {
  static const std::string nobody = std::string("\6nobody") + "\7invalid";
  const auto period = [](std::uint32_t seconds) {
    return Data(ldns_native2rdf_int32(LDNS_RDF_TYPE_PERIOD, seconds));
  };
  Data server = name_of(zone), mailbox = name_of(nobody),
       serial(ldns_native2rdf_int32(LDNS_RDF_TYPE_INT32, 1)), refresh = period(3600),
       retry = period(1200), expire = period(604800), minimum = period(kTtl);
  into.put(section, zone, LDNS_RR_TYPE_SOA,
           {&server, &mailbox, &serial, &refresh, &retry, &expire, &minimum});
}

}  // namespace

Message wire_of(const Answer& answer, const Scan& query) {
  const std::string& owner = query.question->name;
  Writer writer(query);
  writer.set_rcode(answer.rcode);
  for (const IpAddress& address : answer.addresses)
    put_address(writer, LDNS_SECTION_ANSWER, owner, address);
  for (const std::string& target : answer.pointers) put_pointer(writer, owner, target);
  for (const ServiceRecord& service : answer.services) put_service(writer, owner, service);
  if (answer.authority)
    put_authority(writer, answer.is_authority ? LDNS_SECTION_ANSWER : LDNS_SECTION_AUTHORITY,
                  *answer.authority);
  const auto wire = writer.done();
  return wire ? *wire : bare_answer(query, Rcode::kServFail);
}

}  // namespace fairlead::dns
