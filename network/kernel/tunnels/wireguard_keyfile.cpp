#include "network/kernel/tunnels/wireguard_keyfile.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <strings.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <memory>

#include "base/line_file.h"
#include "base/unique_fd.h"

namespace fairlead::kernel {

namespace {

struct FreeKey {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};

// Text that is wiped by the destructor. It is never enlarged, because moving its bytes would leave
// a copy.
struct SecretText {
  explicit SecretText(std::string from) : text(std::move(from)) {}
  ~SecretText() { ::explicit_bzero(text.data(), text.size()); }
  SecretText(const SecretText&) = delete;
  SecretText& operator=(const SecretText&) = delete;
  std::string text;
};

Status check_owner_only(int fd, const std::string& path) {
  struct stat info {};
  if (::fstat(fd, &info) != 0) return fail_errno(errno, "stat " + path);
  if (!S_ISREG(info.st_mode)) return fail(Code::kInvalid, "{} is no file", path);
  if ((info.st_mode & (S_IRWXG | S_IRWXO)) != 0)
    return fail(Code::kInvalid,
                "{} can be used by others than its owner (mode {:04o}), so the key in it is not "
                "secret; delete it to have a new one made, or make it 0600 if you know better",
                path, info.st_mode & 07777U);
  return {};
}

Result<PrivateKey> read_key(const std::string& path) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!file) return fail_errno(errno, "open " + path);
  TRY_STATUS(check_owner_only(file.get(), path));
  SecretText content(std::string(64, '\0'));
  const auto size = ::read(file.get(), content.text.data(), content.text.size());
  if (size < 0) return fail_errno(errno, "read " + path);
  std::string_view text(content.text.data(), static_cast<std::size_t>(size));
  while (text.ends_with('\n')) text.remove_suffix(1);
  auto key = PrivateKey::parse(text);
  if (key && !key->empty()) return key;
  return fail(Code::kInvalid,
              "{} does not hold a private key of WireGuard; put the right one back, or delete the "
              "file to have a new one made",
              path);
}

}  // namespace

Result<PrivateKey> make_private_key() {
  KeyBytes bytes{};
  ssize_t got = 0;
  do {
    got = ::getrandom(bytes.data(), bytes.size(), 0);
  } while (got < 0 && errno == EINTR);
  if (got != static_cast<ssize_t>(bytes.size())) return fail_errno(errno, "make a private key");
  auto key = PrivateKey::from_bytes(bytes);
  ::explicit_bzero(bytes.data(), bytes.size());
  return key;
}

Result<PublicKey> public_key_of(const PrivateKey& key) {
  if (key.empty()) return fail(Code::kInvalid, "without a private key there is no public one");
  const std::unique_ptr<EVP_PKEY, FreeKey> pair(EVP_PKEY_new_raw_private_key(
      EVP_PKEY_X25519, nullptr, key.bytes().data(), key.bytes().size()));
  KeyBytes bytes{};
  std::size_t size = bytes.size();
  if (!pair || EVP_PKEY_get_raw_public_key(pair.get(), bytes.data(), &size) != 1)
    return fail(Code::kInternal, "OpenSSL cannot work with X25519 keys");
  return PublicKey::from_bytes(bytes);
}

Result<PrivateKey> load_or_make_private_key(const std::string& folder) {
  const std::string path = folder + "/wireguard.key";
  auto key = read_key(path);
  if (key || key.error().code != Code::kNotFound) return key;
  {
    TRY(const PrivateKey made, make_private_key());
    const SecretText content(made.reveal());
    TRY_STATUS(make_line_file(folder, "wireguard.key", content.text));
  }
  return read_key(path);
}

}  // namespace fairlead::kernel
