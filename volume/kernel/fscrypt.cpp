#include "volume/kernel/fscrypt.h"

#include <fcntl.h>
#include <linux/fscrypt.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "base/unique_fd.h"

namespace fairlead::volume {

namespace {

static_assert(std::tuple_size_v<FscryptKeyId> == FSCRYPT_KEY_IDENTIFIER_SIZE);
constexpr std::size_t kShortestKey = 32;  // AES-256-XTS requires as much entropy

bool is_unsupported(int error) { return error == ENOTTY || error == EOPNOTSUPP; }

}  // namespace

bool kernel_has_fscrypt() { return ::access("/sys/fs/ext4/features/encryption", F_OK) == 0; }

Result<std::string> read_fscrypt_key(const std::string& path) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!file) return fail_errno(errno, fmt::format("open the key file {}", path));
  struct stat info {};
  if (::fstat(file.get(), &info) != 0 || !S_ISREG(info.st_mode) || info.st_uid != 0 ||
      (info.st_mode & 077U) != 0)
    return fail(Code::kInvalid,
                "key file {}: it must be a file of root that nobody else may read (chmod 600)",
                path);
  std::string key(FSCRYPT_MAX_KEY_SIZE + 1, '\0');
  const ssize_t got = ::read(file.get(), key.data(), key.size());
  if (got < 0) return fail_errno(errno, fmt::format("read the key file {}", path));
  key.resize(static_cast<std::size_t>(got));
  if (key.size() < kShortestKey || key.size() > FSCRYPT_MAX_KEY_SIZE)
    return fail(Code::kInvalid,
                "key file {}: it must hold {} to {} random bytes, not {}; `head -c 64 "
                "/dev/urandom > {}` makes one",
                path, kShortestKey, FSCRYPT_MAX_KEY_SIZE,
                key.size() > FSCRYPT_MAX_KEY_SIZE ? "more" : std::to_string(key.size()), path);
  return key;
}

Result<FscryptKeyId> add_fscrypt_key(int folder, std::string_view key) {
  std::vector<std::uint64_t> room(1 + (sizeof(fscrypt_add_key_arg) + key.size()) / 8);
  auto* request = reinterpret_cast<fscrypt_add_key_arg*>(room.data());
  request->key_spec.type = FSCRYPT_KEY_SPEC_TYPE_IDENTIFIER;
  request->raw_size = static_cast<std::uint32_t>(key.size());
  std::ranges::copy(key, reinterpret_cast<char*>(request->raw));
  const int done = ::ioctl(folder, FS_IOC_ADD_ENCRYPTION_KEY, request);
  const int error = errno;
  FscryptKeyId id{};
  std::ranges::copy(request->key_spec.u.identifier, id.begin());
  ::explicit_bzero(room.data(), room.size() * sizeof(room[0]));
  if (done == 0) return id;
  if (is_unsupported(error))
    return fail(Code::kUnsupported, "give a file system a key: it cannot encrypt");
  return fail_errno(error, "give a file system a key");
}

Status encrypt_folder(int folder, const FscryptKeyId& key) {
  fscrypt_policy_v2 policy{};
  policy.version = FSCRYPT_POLICY_V2;
  policy.contents_encryption_mode = FSCRYPT_MODE_AES_256_XTS;
  policy.filenames_encryption_mode = FSCRYPT_MODE_AES_256_CTS;
  policy.flags = FSCRYPT_POLICY_FLAGS_PAD_32;
  std::ranges::copy(key, policy.master_key_identifier);
  if (::ioctl(folder, FS_IOC_SET_ENCRYPTION_POLICY, &policy) == 0) return {};
  if (is_unsupported(errno))
    return fail(Code::kUnsupported, "encrypt a folder: its file system cannot");
  return fail_errno(errno, "encrypt a folder");
}

Status check_folder_key(int folder, const FscryptKeyId& key) {
  fscrypt_get_policy_ex_arg asked{};
  asked.policy_size = sizeof asked.policy;
  if (::ioctl(folder, FS_IOC_GET_ENCRYPTION_POLICY_EX, &asked) != 0) {
    if (errno != ENODATA && !is_unsupported(errno))
      return fail_errno(errno, "ask for the key of a folder");
    return fail(Code::kConflict, "the folder is not encrypted");
  }
  const bool same = asked.policy.version == FSCRYPT_POLICY_V2 &&
                    std::ranges::equal(asked.policy.v2.master_key_identifier, key);
  if (same) return {};
  return fail(Code::kConflict, "the folder is encrypted with another key");
}

}  // namespace fairlead::volume
