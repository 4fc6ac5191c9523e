// The secret of this host: made here, kept here.
#pragma once

#include <string>

#include "base/result.h"
#include "network/kernel/wireguard_key.h"

namespace fairlead::kernel {

// From getrandom(2).
Result<PrivateKey> make_private_key();
// X25519(key, 9) (RFC 7748, section 6.1). kInvalid: there is no key.
Result<PublicKey> public_key_of(const PrivateKey& key);

// The key in <folder>/wireguard.key, which is text as `wg genkey` writes it. Made when the file is
// not there: 0600, on disk before this returns. Two processes that make it at once agree on one.
// kInvalid when the file holds something else, or others than its owner may use it: then the key
// has to be taken for known, and whoever decides that it is not puts the mode right.
Result<PrivateKey> load_or_make_private_key(const std::string& folder);

}  // namespace fairlead::kernel
