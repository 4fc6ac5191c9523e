#include "network/dns/records.h"

#include <algorithm>

namespace fairlead::dns {

namespace {

using Bytes = std::span<const std::uint8_t>;
using std::chrono::seconds;

constexpr std::size_t kAdditionalsAt = 10;  // their number, in a header
constexpr std::size_t kMaxLabel = 63;
constexpr std::uint8_t kPointer = 0xc0;  // RFC 1035 section 4.1.4
constexpr std::uint16_t kFlagAd = 0x0020;
constexpr std::uint16_t kTypeSoa = 6, kTypeOpt = 41, kTypeIxfr = 251, kTypeAxfr = 252,
                        kTypeAny = 255;
constexpr std::uint16_t kOwnUdpSize = 1232;  // RFC 9715
constexpr std::uint16_t kDnssecOk = 0x8000;
constexpr std::size_t kEdnsSize = 11;                        // of an OPT without options
constexpr std::size_t kTypeAndClass = 4, kSmallestSoa = 22;  // two roots and five numbers
constexpr std::uint32_t kTtlSign = 0x80000000;

std::uint16_t number_at(Bytes bytes, std::size_t at) {
  return static_cast<std::uint16_t>(bytes[at] << 8 | bytes[at + 1]);
}

std::uint32_t long_at(Bytes bytes, std::size_t at) {
  return static_cast<std::uint32_t>(number_at(bytes, at)) << 16 | number_at(bytes, at + 2);
}

void put_number(Message& into, std::uint16_t number) {
  into.push_back(static_cast<std::uint8_t>(number >> 8));
  into.push_back(static_cast<std::uint8_t>(number & 0xff));
}

// Where what follows the name begins.
std::optional<std::size_t> behind_name(Bytes bytes, std::size_t at) {
  while (at < bytes.size()) {
    const std::uint8_t length = bytes[at];
    if (length == 0) return at + 1;
    if (length >= kPointer) return at + 2;
    if (length > kMaxLabel) return std::nullopt;
    at += 1U + length;
  }
  return std::nullopt;
}

struct Record {
  std::uint16_t type = 0;
  std::uint32_t ttl_at = 0, ttl = 0;
  Bytes data;
  std::size_t end = 0;
};

std::optional<Record> record_at(Bytes bytes, std::size_t at) {
  constexpr std::size_t kFixed = 10;  // type, class, TTL, length
  const auto fixed = behind_name(bytes, at);
  if (!fixed || *fixed + kFixed > bytes.size()) return std::nullopt;
  const std::size_t size = number_at(bytes, *fixed + 8), data = *fixed + kFixed;
  if (data + size > bytes.size()) return std::nullopt;
  return Record{.type = number_at(bytes, *fixed),
                .ttl_at = static_cast<std::uint32_t>(*fixed + 4),
                .ttl = long_at(bytes, *fixed + 4),
                .data = bytes.subspan(data, size),
                .end = data + size};
}

// One with the highest bit set counts as 0 (RFC 2181 section 8).
seconds ttl_of(const Record& record) {
  return seconds((record.ttl & kTtlSign) != 0 ? 0 : record.ttl);
}

void shorten(std::optional<seconds>& lifetime, seconds to) {
  lifetime = lifetime ? std::min(*lifetime, to) : to;
}

// What is learned from one record after the other.
class ShapeReader {
 public:
  ShapeReader(Bytes bytes, std::size_t records_at)
      : bytes_(bytes), at_(records_at), asked_(number_at(bytes, records_at - kTypeAndClass)) {
    const std::uint16_t flags = number_at(bytes, 2);
    shape_.truncated = (flags & kFlagTc) != 0;
    rcode_ = flags & 0xf;
  }

  bool read_answers(unsigned count) {
    return each(count, [this](const Record& record) {
      shorten(positive_, ttl_of(record));
      found_ = found_ || record.type == asked_ || asked_ == kTypeAny;
    });
  }
  bool read_authorities(unsigned count) {
    return each(count, [this](const Record& record) {
      if (record.type != kTypeSoa || record.data.size() < kSmallestSoa) return;
      const seconds minimum(long_at(record.data, record.data.size() - 4));
      shorten(denial_, std::min(ttl_of(record), minimum));
    });
  }
  bool read_additionals(unsigned count) {
    return each(count, [](const Record&) {});
  }

  AnswerShape finish() {
    shape_.rcode = static_cast<Rcode>(rcode_);
    shape_.negative = shape_.rcode == Rcode::kNxDomain || !found_;
    shape_.lifetime = positive_;
    if (shape_.negative) {
      shape_.lifetime = denial_;
      if (denial_ && positive_) shorten(shape_.lifetime, *positive_);  // behind an alias
    }
    shape_.size = at_;
    return std::move(shape_);
  }

 private:
  template <class Learn>
  bool each(unsigned count, const Learn& learn) {
    for (; count > 0; --count) {
      const auto record = record_at(bytes_, at_);
      if (!record) return false;
      at_ = record->end;
      if (record->type == kTypeOpt) {
        rcode_ |= record->ttl >> 24 << 4;
        continue;
      }
      shape_.ttls.push_back(record->ttl_at);
      learn(*record);
    }
    return true;
  }

  Bytes bytes_;
  std::size_t at_;
  std::uint16_t asked_;
  std::uint32_t rcode_ = 0;
  bool found_ = false;
  std::optional<seconds> positive_, denial_;
  AnswerShape shape_;
};

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

// The lengths of labels are below 'A'.
void put_question(Message& into, const Question& question) {
  for (const char c : question.name) into.push_back(static_cast<std::uint8_t>(lower(c)));
  into.push_back(0);
  put_number(into, question.type);
  put_number(into, question.klass);
}

void put_edns(Message& into, const Edns& edns) {
  into.push_back(0);
  put_number(into, kTypeOpt);
  put_number(into, kOwnUdpSize);
  put_number(into, 0);  // extended RCODE, version
  put_number(into, edns.dnssec_ok ? kDnssecOk : std::uint16_t{0});
  put_number(into, 0);
}

}  // namespace

std::optional<PassedOn> pass_on(Bytes query) {
  auto asked = scan(query);
  if (!asked || !asked->is_query() || !asked->whole || !asked->question || asked->opcode() != 0)
    return std::nullopt;
  if (asked->question->type == kTypeAxfr || asked->question->type == kTypeIxfr) return std::nullopt;
  PassedOn passed{.id = asked->id, .question = std::move(*asked->question)};
  passed.edns = asked->edns.has_value();
  Message& message = passed.message;
  message.reserve(kHeaderSize + passed.question.name.size() + 1 + kTypeAndClass + kEdnsSize);
  put_number(message, 0);
  put_number(message, asked->flags & (kFlagRd | kFlagAd | kFlagCd));
  for (const int count : {1, 0, 0, passed.edns ? 1 : 0})
    put_number(message, static_cast<std::uint16_t>(count));
  put_question(message, passed.question);
  if (passed.edns) put_edns(message, *asked->edns);
  return passed;
}

bool drop_edns(Message& passed_on) {
  if (number_at(passed_on, kAdditionalsAt) == 0) return false;
  passed_on.resize(passed_on.size() - kEdnsSize);
  passed_on[kAdditionalsAt + 1] = 0;
  return true;
}

bool answers(Bytes sent, Bytes answer) {
  if (sent.size() < kHeaderSize || answer.size() < kHeaderSize) return false;
  const auto end = behind_name(sent, kHeaderSize);
  if (!end || *end + kTypeAndClass > std::min(sent.size(), answer.size())) return false;
  const std::size_t size = *end + kTypeAndClass - kHeaderSize;
  const std::uint16_t flags = number_at(answer, 2);
  return number_at(sent, 0) == number_at(answer, 0) && (flags & kFlagQr) != 0 &&
         (flags & kOpcodeBits) == (number_at(sent, 2) & kOpcodeBits) && number_at(answer, 4) == 1 &&
         std::ranges::equal(sent.subspan(kHeaderSize, size), answer.subspan(kHeaderSize, size));
}

void readdress(Message& answer, const PassedOn& query) {
  set_id(answer, query.id);
  std::ranges::transform(query.question.name, answer.begin() + kHeaderSize,
                         [](char c) { return static_cast<std::uint8_t>(c); });
}

void set_id(Message& message, std::uint16_t id) {
  message[0] = static_cast<std::uint8_t>(id >> 8);
  message[1] = static_cast<std::uint8_t>(id & 0xff);
}

std::optional<AnswerShape> read_shape(Bytes answer) {
  if (answer.size() < kHeaderSize || number_at(answer, 4) != 1) return std::nullopt;
  const auto behind = behind_name(answer, kHeaderSize);
  if (!behind || *behind + kTypeAndClass > answer.size()) return std::nullopt;
  ShapeReader reader(answer, *behind + kTypeAndClass);
  if (!reader.read_answers(number_at(answer, 6)) ||
      !reader.read_authorities(number_at(answer, 8)) ||
      !reader.read_additionals(number_at(answer, kAdditionalsAt)))
    return std::nullopt;
  return reader.finish();
}

std::uint32_t ttl_at(const Message& message, std::uint32_t offset) {
  return long_at(message, offset);
}

void set_ttl_at(Message& message, std::uint32_t offset, std::uint32_t ttl) {
  for (std::size_t i = 0; i < 4; ++i)
    message[offset + i] = static_cast<std::uint8_t>(ttl >> (24 - 8 * i) & 0xff);
}

}  // namespace fairlead::dns
