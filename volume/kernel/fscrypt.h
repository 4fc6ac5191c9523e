// Encrypted folders of ext4 (Documentation/filesystems/fscrypt.rst, policies of version 2): names
// and contents are encrypted on the disk, and readable for as long as the file system has the key.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace fairlead::volume {

// The identifier that the kernel derives from a master key and stores in the policy of a folder.
using FscryptKeyId = std::array<std::uint8_t, 16>;

// Whether this kernel can encrypt folders of ext4.
bool kernel_has_fscrypt();

// Reads a master key from a file: 32 to 64 raw bytes, owned by root and readable by nobody else.
Result<std::string> read_fscrypt_key(const std::string& path);

// `folder` is a descriptor of any folder of the file system, which keeps the key until its last
// mount is gone. Adding the same key again succeeds. kUnsupported for a file system that cannot
// encrypt.
Result<FscryptKeyId> add_fscrypt_key(int folder, std::string_view key);

// Encrypts the empty folder and everything that will be in it: AES-256-XTS for contents,
// AES-256-CTS for names.
Status encrypt_folder(int folder, const FscryptKeyId& key);

// kConflict when the folder is encrypted with another key, or not at all.
Status check_folder_key(int folder, const FscryptKeyId& key);

}  // namespace fairlead::volume
