#include "volume/service/backup_marker.h"

#include "base/json/fields.h"
#include "base/json/format.h"
#include "base/text.h"

namespace fairlead::volume {

namespace {

constexpr std::int64_t kPlainFormat = 1, kEncryptedFormat = 2;
constexpr std::string_view kAboutMaster = "master";

// ---- the text of the marker

int value_of(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

std::string hex_of(std::string_view bytes) {
  std::string text;
  for (const char byte : bytes) text += fmt::format("{:02x}", static_cast<unsigned char>(byte));
  return text;
}

Result<std::string> bytes_of(const json::Slot& slot) {
  if (!slot.value().is_string()) return slot.wrong("a string");
  const std::string& text = slot.value().string();
  std::string bytes;
  for (std::size_t k = 0; k + 1 < text.size(); k += 2) {
    const int high = value_of(text[k]), low = value_of(text[k + 1]);
    if (high < 0 || low < 0) return slot.wrong("hex digits");
    bytes += static_cast<char>(high * 16 + low);
  }
  if (text.size() % 2 != 0) return slot.wrong("hex digits");
  return bytes;
}

Result<Salt> read_salt(const json::Slot& slot) {
  TRY(const auto bytes, bytes_of(slot));
  Salt salt{};
  if (bytes.size() != salt.size()) return slot.wrong("32 hex digits");
  std::copy(bytes.begin(), bytes.end(), salt.begin());
  return salt;
}
json::Json write_salt(const Salt& salt) {
  return hex_of({reinterpret_cast<const char*>(salt.data()), salt.size()});
}
json::Json write_hex(const std::string& bytes) { return hex_of(bytes); }

std::string_view to_string(WrappedKey::From from) {
  return from == WrappedKey::From::kPassphrase ? "passphrase" : "key-file";
}

// A form of its own, because its enumerators live in a struct.
Result<WrappedKey::From> read_from(const json::Slot& slot) {
  if (slot.value().is_string())
    for (const auto from : {WrappedKey::From::kPassphrase, WrappedKey::From::kKeyFile})
      if (slot.value().string() == to_string(from)) return from;
  return slot.wrong("\"passphrase\" or \"key-file\"");
}
json::Json write_from(const WrappedKey::From& from) { return std::string(to_string(from)); }

constexpr auto kWrapped = json::fields(
    json::required<&WrappedKey::from>("from", json::custom<&read_from, &write_from>()),
    json::required<&WrappedKey::salt>("salt", json::custom<&read_salt, &write_salt>()),
    json::defaulted<&WrappedKey::cost, &PassphraseCost::passes>("passes"),
    json::defaulted<&WrappedKey::cost, &PassphraseCost::memory>("memory"),
    json::required<&WrappedKey::master>("master", json::custom<&bytes_of, &write_hex>()));

struct Document {
  std::int64_t format = kPlainFormat;
  std::optional<WrappedKey> encryption;
};
constexpr auto kDocument =
    json::fields(json::required<&Document::format>("format", json::Range{1, INT32_MAX}),
                 json::sparse<&Document::encryption>("encryption", json::object(kWrapped)));

// ---- secrets

Result<SecretKey> outer_key(const BackupSecret& secret, const WrappedKey& wrapped) {
  if (secret.from == WrappedKey::From::kKeyFile) return key_of_file(secret.bytes, wrapped.salt);
  return key_of_passphrase(secret.bytes, wrapped.salt, wrapped.cost);
}

const char* needed(WrappedKey::From from) {
  return from == WrappedKey::From::kPassphrase
             ? "its passphrase is needed: --passphrase-file FILE, or FAIRLEAD_BACKUP_PASSPHRASE"
             : "its key file is needed: --key-file FILE";
}

}  // namespace

std::string to_text(const BackupMarker& marker) {
  const Document document{marker.encryption ? kEncryptedFormat : kPlainFormat, marker.encryption};
  return json::dump(json::write(document, kDocument)) + "\n";
}

Result<BackupMarker> parse_marker(std::string_view text) {
  TRY(const auto parsed, json::parse(text));
  TRY_STATUS(status_of(json::read_format(parsed, "the backup folder", kEncryptedFormat)));
  TRY(auto document, json::read(parsed, kDocument));
  if ((document.format == kEncryptedFormat) != document.encryption.has_value())
    return fail(Code::kInvalid, "field encryption belongs to format {}", kEncryptedFormat);
  return BackupMarker{std::move(document.encryption)};
}

Result<WrappedKey> wrap_new_key(const BackupSecret& secret, SecretKey& master) {
  master = SecretKey::random();
  WrappedKey wrapped{.from = secret.from, .salt = random_salt()};
  TRY(const auto outer, outer_key(secret, wrapped));
  SecretBox(outer).seal({reinterpret_cast<const char*>(master.bytes.data()), master.bytes.size()},
                        kAboutMaster, wrapped.master);
  return wrapped;
}

Result<std::shared_ptr<const BackupCipher>> open_cipher(const BackupMarker& marker,
                                                        const BackupPlace& place) {
  const bool is_named = !place.key_file.empty() || !place.passphrase_file.empty();
  if (!marker.encryption && is_named)
    return fail(Code::kInvalid,
                "the backups in {} are not encrypted: leave the key away, or name a new folder",
                shown(place.folder));
  if (!marker.encryption) return std::shared_ptr<const BackupCipher>();
  const WrappedKey& wrapped = *marker.encryption;
  TRY(const auto secret, read_secret(place));
  if (!secret || secret->from != wrapped.from)
    return fail(Code::kInvalid, "the backups in {} are encrypted: {}", shown(place.folder),
                needed(wrapped.from));
  TRY(const auto outer, outer_key(*secret, wrapped));
  const auto plain = SecretBox(outer).open(wrapped.master, kAboutMaster);
  SecretKey master;
  if (!plain || plain->size() != master.bytes.size())
    return fail(Code::kInvalid, "the backups in {} are encrypted, and this is not their {}",
                shown(place.folder),
                wrapped.from == WrappedKey::From::kPassphrase ? "passphrase" : "key file");
  std::copy(plain->begin(), plain->end(), master.bytes.begin());
  return std::make_shared<const BackupCipher>(master);
}

}  // namespace fairlead::volume
