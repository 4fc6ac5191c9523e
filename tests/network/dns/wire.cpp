#include "tests/network/dns/wire.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <memory>
#include <stdexcept>

#include "network/dns/ldns.h"

namespace fairlead::dns::tests {

namespace {

using Packet = std::unique_ptr<ldns_pkt, decltype(&ldns_pkt_free)>;

// ldns writes texts into memory that the caller frees.
std::string text(char* from_ldns) {
  std::string result = from_ldns == nullptr ? "" : from_ldns;
  std::free(from_ldns);
  while (!result.empty() && std::isspace(static_cast<unsigned char>(result.back())))
    result.pop_back();
  std::ranges::replace(result, '\t', ' ');
  return result;
}

std::vector<std::string> texts(const ldns_rr_list* records) {
  std::vector<std::string> result;
  for (std::size_t i = 0; i < ldns_rr_list_rr_count(records); ++i)
    result.push_back(text(ldns_rr2str(ldns_rr_list_rr(records, i))));
  return result;
}

std::string flags_of(const ldns_pkt* packet) {
  std::string result;
  const auto add = [&](bool set, const char* name) {
    if (set) result += (result.empty() ? "" : " ") + std::string(name);
  };
  add(ldns_pkt_qr(packet), "qr");
  add(ldns_pkt_aa(packet), "aa");
  add(ldns_pkt_tc(packet), "tc");
  add(ldns_pkt_rd(packet), "rd");
  add(ldns_pkt_ra(packet), "ra");
  add(ldns_pkt_ad(packet), "ad");
  add(ldns_pkt_cd(packet), "cd");
  return result;
}

}  // namespace

Message query(const std::string& name, const Asked& asked) {
  ldns_rdf* owner = ldns_dname_new_frm_str(name.c_str());
  if (owner == nullptr) throw std::invalid_argument(name + " is no name");
  const Packet packet(
      ldns_pkt_query_new(owner, ldns_get_rr_type_by_name(asked.type.c_str()),
                         ldns_get_rr_class_by_name(asked.klass.c_str()), asked.rd ? LDNS_RD : 0),
      ldns_pkt_free);
  ldns_pkt_set_id(packet.get(), asked.id);
  ldns_pkt_set_cd(packet.get(), asked.cd);
  ldns_pkt_set_opcode(packet.get(), static_cast<ldns_pkt_opcode>(asked.opcode));
  if (asked.udp_size != 0) {
    ldns_pkt_set_edns_udp_size(packet.get(), asked.udp_size);
    ldns_pkt_set_edns_do(packet.get(), asked.dnssec_ok);
    ldns_pkt_set_edns_version(packet.get(), asked.edns_version);
  }
  std::uint8_t* wire = nullptr;
  std::size_t size = 0;
  if (ldns_pkt2wire(&wire, packet.get(), &size) != LDNS_STATUS_OK)
    throw std::invalid_argument(name + " cannot be asked");
  Message result(wire, wire + size);
  std::free(wire);
  return result;
}

Read read(std::span<const std::uint8_t> message) {
  ldns_pkt* raw = nullptr;
  Read result;
  if (ldns_wire2pkt(&raw, message.data(), message.size()) != LDNS_STATUS_OK) return result;
  const Packet packet(raw, ldns_pkt_free);
  result.valid = true;
  result.id = ldns_pkt_id(raw);
  result.rcode = text(ldns_pkt_rcode2str(ldns_pkt_get_rcode(raw)));
  result.flags = flags_of(raw);
  for (const std::string& question : texts(ldns_pkt_question(raw)))
    result.question += (result.question.empty() ? "" : ", ") + question;
  result.answers = texts(ldns_pkt_answer(raw));
  result.authorities = texts(ldns_pkt_authority(raw));
  result.additionals = texts(ldns_pkt_additional(raw));
  if (ldns_pkt_edns(raw)) {
    result.edns = fmt::format("version {} size {}{}", ldns_pkt_edns_version(raw),
                              ldns_pkt_edns_udp_size(raw), ldns_pkt_edns_do(raw) ? " do" : "");
    if (ldns_pkt_edns_extended_rcode(raw) == 1 && result.rcode == "NOERROR")
      result.rcode = "BADVERS";
  }
  return result;
}

Message bytes(std::string_view hex) {
  Message result;
  std::string digits;
  for (const char c : hex)
    if (c != ' ') digits.push_back(c);
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2)
    result.push_back(static_cast<std::uint8_t>(std::stoul(digits.substr(i, 2), nullptr, 16)));
  return result;
}

}  // namespace fairlead::dns::tests
