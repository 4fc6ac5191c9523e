#include "network/dns/scan.h"

namespace fairlead::dns {

namespace {

using Bytes = std::span<const std::uint8_t>;

constexpr std::size_t kMaxLabel = 63, kMaxName = 255;  // RFC 1035 section 2.3.4
constexpr std::uint8_t kPointer = 0xc0;                // section 4.1.4
constexpr std::uint16_t kTypeOpt = 41;
constexpr std::uint16_t kDnssecOk = 0x8000;  // of the flags of OPT (RFC 6891 section 6.1.4)

// Reads from front to back. What is not there makes it fail, for good.
class Reader {
 public:
  explicit Reader(Bytes bytes) : rest_(bytes) {}

  bool ok() const { return ok_; }
  std::uint8_t byte() {
    const Bytes taken = take(1);
    return taken.empty() ? std::uint8_t{0} : taken[0];
  }
  std::uint16_t number() {  // 16 bits
    const Bytes taken = take(2);
    return taken.empty() ? std::uint16_t{0} : static_cast<std::uint16_t>(taken[0] << 8 | taken[1]);
  }
  Bytes take(std::size_t size) {
    if (!ok_ || size > rest_.size()) {
      ok_ = false;
      return {};
    }
    const Bytes taken = rest_.first(size);
    rest_ = rest_.subspan(size);
    return taken;
  }
  void fail() { ok_ = false; }

 private:
  Bytes rest_;
  bool ok_ = true;
};

// A name that is not compressed: there is nothing before a question to which it could point.
std::string read_name(Reader& from) {
  std::string name;
  while (from.ok()) {
    const std::uint8_t length = from.byte();
    if (length == 0) break;
    if (length > kMaxLabel || name.size() + 1 + length + 1 > kMaxName) {
      from.fail();
      break;
    }
    name.push_back(static_cast<char>(length));
    for (const std::uint8_t byte : from.take(length)) name.push_back(static_cast<char>(byte));
  }
  return from.ok() ? name : std::string();
}

// Returns whether it is the root.
bool skip_name(Reader& from) {
  for (bool first = true; from.ok(); first = false) {
    const std::uint8_t length = from.byte();
    if (length == 0) return first;
    if (length >= kPointer) {
      from.byte();
      return false;
    }
    if (length > kMaxLabel) from.fail();
    from.take(length);
  }
  return false;
}

// Returns what it says if it is OPT.
std::optional<Edns> read_record(Reader& from) {
  const bool root = skip_name(from);
  const std::uint16_t type = from.number();
  Edns edns{.udp_size = from.number(), .extended_rcode = from.byte(), .version = from.byte()};
  edns.dnssec_ok = (from.number() & kDnssecOk) != 0;
  from.take(from.number());
  if (type != kTypeOpt) return std::nullopt;
  if (!root) from.fail();
  if (!from.ok()) return std::nullopt;
  return edns;
}

void read_records(Reader& from, Scan& into) {
  for (unsigned left = into.answers + into.authorities; left > 0 && from.ok(); --left)
    read_record(from);
  for (unsigned left = into.additionals; left > 0 && from.ok(); --left) {
    const std::optional<Edns> edns = read_record(from);
    if (!edns) continue;
    if (into.edns) from.fail();
    into.edns = edns;
  }
}

void put_number(Message& into, std::uint16_t number) {
  into.push_back(static_cast<std::uint8_t>(number >> 8));
  into.push_back(static_cast<std::uint8_t>(number & 0xff));
}

}  // namespace

std::optional<Scan> scan(Bytes message) {
  Reader from(message);
  Scan result;
  for (std::uint16_t* field : {&result.id, &result.flags, &result.questions, &result.answers,
                               &result.authorities, &result.additionals})
    *field = from.number();
  if (!from.ok()) return std::nullopt;
  if (result.questions > 1) return result;
  if (result.questions == 1) {
    Question question{.name = read_name(from)};
    question.type = from.number();
    question.klass = from.number();
    if (!from.ok()) return result;
    result.question = std::move(question);
  }
  read_records(from, result);
  result.whole = from.ok();
  return result;
}

Message bare_answer(const Scan& query, Rcode rcode, std::uint16_t flags) {
  const auto code = static_cast<std::uint16_t>(rcode);
  Message answer;
  answer.reserve(kHeaderSize + kMaxName + 16);
  put_number(answer, query.id);
  put_number(answer, static_cast<std::uint16_t>(kFlagQr | kFlagRa |
                                                (query.flags & (kOpcodeBits | kFlagRd | kFlagCd)) |
                                                flags | (code & 0xf)));
  put_number(answer, query.question ? 1 : 0);
  put_number(answer, 0);
  put_number(answer, 0);
  put_number(answer, query.edns ? 1 : 0);
  if (query.question) {
    answer.insert(answer.end(), query.question->name.begin(), query.question->name.end());
    answer.push_back(0);
    put_number(answer, query.question->type);
    put_number(answer, query.question->klass);
  }
  if (query.edns) {
    answer.push_back(0);
    put_number(answer, kTypeOpt);
    put_number(answer, kOwnUdpSize);
    put_number(answer, static_cast<std::uint16_t>(code >> 4 << 8));  // extended RCODE, version 0
    put_number(answer, query.edns->dnssec_ok ? kDnssecOk : std::uint16_t{0});  // RFC 3225 section 3
    put_number(answer, 0);
  }
  return answer;
}

}  // namespace fairlead::dns
