// Encrypted folders of ext4 (Documentation/filesystems/fscrypt.rst, policies of version 2): names
// and contents are encrypted on the disk, and plain for as long as the file system has the key.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace fairlead::volume {

// What the kernel derives from a master key; it stands in the policy of a folder.
using FscryptKeyId = std::array<std::uint8_t, 16>;

// Whether this kernel encrypts folders of ext4.
bool kernel_has_fscrypt();

// The master key in a file: 32 to 64 bytes as they are, of root, that nobody else may read.
Result<std::string> read_fscrypt_key(const std::string& path);

// `folder`: a descriptor of any folder of the file system. It has the key until its last mount is
// gone. The same key again is no error. kUnsupported for a file system that cannot encrypt.
Result<FscryptKeyId> add_fscrypt_key(int folder, std::string_view key);

// The empty folder becomes encrypted, with everything that will be in it: AES-256-XTS for contents,
// AES-256-CTS for names.
Status encrypt_folder(int folder, const FscryptKeyId& key);

// kConflict when the folder is encrypted with another key, or not at all.
Status check_folder_key(int folder, const FscryptKeyId& key);

}  // namespace fairlead::volume
