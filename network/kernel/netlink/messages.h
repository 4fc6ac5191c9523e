// Reads netlink messages and their attributes. Pure functions; any bytes are safe to read.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace fairlead::kernel {

using Bytes = std::span<const std::uint8_t>;

// The kernel struct at the start of `bytes`; std::nullopt when there are too few bytes.
template <class T>
std::optional<T> read_struct(Bytes bytes) {
  if (bytes.size() < sizeof(T)) return std::nullopt;
  T value;
  std::memcpy(&value, bytes.data(), sizeof(T));
  return value;
}

// A length padded to the alignment of netlink.
constexpr std::size_t aligned(std::size_t length) { return (length + 3) & ~std::size_t{3}; }

// The bytes after a fixed header of `length` bytes.
inline Bytes behind(Bytes bytes, std::size_t length) {
  return bytes.subspan(std::min(bytes.size(), aligned(length)));
}

// One attribute (struct nlattr): its type without the flag bits, and its payload. A payload that is
// too short for the number asked for reads as 0.
struct Attribute {
  std::uint16_t type = 0;
  Bytes data;

  std::uint8_t u8() const;
  std::uint16_t u16() const;
  std::uint32_t u32() const;
  int i32() const { return static_cast<int>(u32()); }
  std::string_view text() const;  // up to the first NUL
};

// The attributes in `bytes`, for range-for; iteration ends at the first malformed attribute.
class Attributes {
 public:
  explicit Attributes(Bytes bytes) : bytes_(bytes) {}

  class Iterator {
   public:
    explicit Iterator(Bytes rest) : rest_(rest) { read(); }
    const Attribute& operator*() const { return attribute_; }
    const Attribute* operator->() const { return &attribute_; }
    Iterator& operator++();
    bool operator==(const Iterator& other) const { return rest_.size() == other.rest_.size(); }

   private:
    void read();
    Bytes rest_;
    std::size_t step_ = 0;
    Attribute attribute_;
  };
  Iterator begin() const { return Iterator(bytes_); }
  Iterator end() const { return Iterator(bytes_.last(0)); }
  // The first attribute of that type.
  std::optional<Attribute> find(std::uint16_t type) const;

 private:
  Bytes bytes_;
};

// One message (struct nlmsghdr) and the bytes after its header.
struct MessageView {
  std::uint16_t type = 0, flags = 0;
  std::uint32_t sequence = 0, port = 0;
  Bytes payload;
};

// Removes the first message from `bytes` and returns it; std::nullopt at the end, or when the next
// message is malformed.
std::optional<MessageView> take_message(Bytes& bytes);

// The content of NLMSG_ERROR and NLMSG_DONE: the errno (positive; 0 for an ack) and the kernel's
// explanation (NLMSGERR_ATTR_MSG).
struct Ack {
  int sys_errno = 0;
  std::string text;
};
std::optional<Ack> parse_ack(const MessageView& message);

}  // namespace fairlead::kernel
