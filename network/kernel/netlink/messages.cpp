#include "network/kernel/netlink/messages.h"

#include <linux/netlink.h>

#include <cerrno>

namespace fairlead::kernel {

std::uint8_t Attribute::u8() const { return read_struct<std::uint8_t>(data).value_or(0); }
std::uint16_t Attribute::u16() const { return read_struct<std::uint16_t>(data).value_or(0); }
std::uint32_t Attribute::u32() const { return read_struct<std::uint32_t>(data).value_or(0); }

std::string_view Attribute::text() const {
  const std::string_view all(reinterpret_cast<const char*>(data.data()), data.size());
  return all.substr(0, all.find('\0'));
}

void Attributes::Iterator::read() {
  const auto header = read_struct<nlattr>(rest_);
  if (!header || header->nla_len < sizeof(nlattr) || header->nla_len > rest_.size()) {
    rest_ = rest_.last(0);
    return;
  }
  attribute_.type = header->nla_type & NLA_TYPE_MASK;
  attribute_.data = rest_.subspan(sizeof(nlattr), header->nla_len - sizeof(nlattr));
  step_ = std::min(rest_.size(), aligned(header->nla_len));
}

Attributes::Iterator& Attributes::Iterator::operator++() {
  rest_ = rest_.subspan(step_);
  read();
  return *this;
}

std::optional<Attribute> Attributes::find(std::uint16_t type) const {
  for (const Attribute& attribute : *this)
    if (attribute.type == type) return attribute;
  return std::nullopt;
}

std::optional<MessageView> take_message(Bytes& bytes) {
  const auto header = read_struct<nlmsghdr>(bytes);
  if (!header || header->nlmsg_len < sizeof(nlmsghdr) || header->nlmsg_len > bytes.size())
    return std::nullopt;
  MessageView message{
      .type = header->nlmsg_type,
      .flags = header->nlmsg_flags,
      .sequence = header->nlmsg_seq,
      .port = header->nlmsg_pid,
      .payload = bytes.subspan(sizeof(nlmsghdr), header->nlmsg_len - sizeof(nlmsghdr))};
  bytes = behind(bytes, header->nlmsg_len);
  return message;
}

std::optional<Ack> parse_ack(const MessageView& message) {
  const auto error = read_struct<int>(message.payload);
  if (!error || *error > 0 || *error < -4095) return std::nullopt;
  Ack ack{.sys_errno = -*error, .text = {}};
  if ((message.flags & NLM_F_ACK_TLVS) == 0) return ack;
  std::size_t skipped = sizeof(int);
  if (message.type == NLMSG_ERROR) {
    const auto request = read_struct<nlmsghdr>(message.payload.subspan(sizeof(int)));
    if (!request) return ack;
    const bool capped = (message.flags & NLM_F_CAPPED) != 0 || *error == 0;
    skipped += capped ? sizeof(nlmsghdr) : request->nlmsg_len;
  }
  if (const auto text = Attributes(behind(message.payload, skipped)).find(NLMSGERR_ATTR_MSG))
    ack.text = text->text();
  return ack;
}

}  // namespace fairlead::kernel
