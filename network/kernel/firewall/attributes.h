// The attributes of a netfilter message, by their type number. Any bytes are safe to read.
#pragma once

#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace fairlead::kernel {

// The attributes of a message or of a nest; nullptr where one is missing. When several have the
// same type number, the last one counts.
using NftAttributes = std::array<const nlattr*, 32>;

inline int keep_attribute(const nlattr* attribute, void* into) {
  auto& attributes = *static_cast<NftAttributes*>(into);
  const std::uint16_t type = mnl_attr_get_type(attribute);
  if (type < attributes.size()) attributes[type] = attribute;
  return MNL_CB_OK;
}

inline NftAttributes nested(const nlattr* nest) {
  NftAttributes attributes{};
  if (nest != nullptr) mnl_attr_parse_nested(nest, keep_attribute, &attributes);
  return attributes;
}

// An aligned copy of the message; std::nullopt when the message is cut short.
class AlignedMessage {
 public:
  static std::optional<AlignedMessage> of(std::span<const std::uint8_t> message) {
    AlignedMessage aligned;
    aligned.words_.resize((message.size() + 3) / 4);
    if (!message.empty()) std::memcpy(aligned.words_.data(), message.data(), message.size());
    if (message.size() < MNL_NLMSG_HDRLEN + sizeof(nfgenmsg) ||
        aligned.header()->nlmsg_len > message.size() ||
        aligned.header()->nlmsg_len < MNL_NLMSG_HDRLEN + sizeof(nfgenmsg))
      return std::nullopt;
    return aligned;
  }
  const nlmsghdr* header() const { return reinterpret_cast<const nlmsghdr*>(words_.data()); }
  NftAttributes attributes() const {
    NftAttributes attributes{};
    mnl_attr_parse(header(), sizeof(nfgenmsg), keep_attribute, &attributes);
    return attributes;
  }

 private:
  std::vector<std::uint32_t> words_;
};

inline std::span<const std::uint8_t> payload(const nlattr* attribute) {
  if (attribute == nullptr) return {};
  return {static_cast<const std::uint8_t*>(mnl_attr_get_payload(attribute)),
          mnl_attr_get_payload_len(attribute)};
}

// The attribute's payload as a number, in the byte order of the message; std::nullopt when the
// attribute is missing or too short.
template <class Number>
std::optional<Number> number(const nlattr* attribute) {
  const auto bytes = payload(attribute);
  Number value{};
  if (bytes.size() < sizeof(value)) return std::nullopt;
  std::memcpy(&value, bytes.data(), sizeof(value));
  return value;
}

inline std::string text(const nlattr* attribute) {
  const auto bytes = payload(attribute);
  return {bytes.begin(), std::find(bytes.begin(), bytes.end(), std::uint8_t{0})};
}

}  // namespace fairlead::kernel
