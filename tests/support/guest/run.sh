#!/usr/bin/env bash
# run.sh [-x FOLDER]: the tests that need a kernel with WireGuard, ipvlan, VLANs, or bridges that filter them, of build/asan, under one that has them. Options and exit
# code are those of boot.sh.
set -uo pipefail
cd "$(dirname "$0")/../../.."
tests=build/asan/tests
exec tests/support/guest/boot.sh -t "${FAIRLEAD_GUEST_SECONDS:-600}" -p etcd -p ip -p bridge -p build/release/bin/fairleadd "$@" \
  "$tests/wireguard_links_conformance --gtest_filter=*Kernel*" \
  "$tests/driver_conformance --gtest_filter=*/ipvlan" \
  "$tests/parent_driver_test" \
  "$tests/network_vlans_test" \
  "$tests/wireguard_test" \
  "$tests/encrypted_overlay_test" \
  "$tests/encrypted_agents_test"
