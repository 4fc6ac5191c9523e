// Makes this host's private key, and keeps it in a file.
#pragma once

#include <string>

#include "base/result.h"
#include "network/kernel/tunnels/wireguard_key.h"

namespace fairlead::kernel {

// A new key from getrandom(2).
Result<PrivateKey> make_private_key();
// X25519(key, 9) (RFC 7748, section 6.1). kInvalid when the private key is empty.
Result<PublicKey> public_key_of(const PrivateKey& key);

// Reads the key in <folder>/wireguard.key, text as `wg genkey` writes it. When the file does not
// exist it is made with mode 0600, and is on disk before this returns. Two processes that make it
// at the same time get the same key. kInvalid when the file contains something else, or when
// anybody but its owner may use it: the key may be known to others then, and a person has to delete
// it or, knowing that it is not, to correct the mode.
Result<PrivateKey> load_or_make_private_key(const std::string& folder);

}  // namespace fairlead::kernel
