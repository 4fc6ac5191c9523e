#!/usr/bin/env bash
# install-packages.sh LIST...: installs the Debian packages named in these files that are missing, and says which.
set -euo pipefail
wanted=$(cat "$@" | sed 's/#.*//' | tr -s ' \t\n' ' ')
missing=()
for package in $wanted; do
  dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0
echo "Installing: ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
# No service is started by an installation: the tests and the quickstart start what they need themselves.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod 0755 "$policy"
  trap 'rm -f "$policy"' EXIT
fi
log=$(mktemp)
apt-get update -qq >"$log" 2>&1 || { cat "$log" >&2; exit 1; }
apt-get install -y -qq --no-install-recommends "${missing[@]}" >"$log" 2>&1 || { tail -n 30 "$log" >&2; exit 1; }
rm -f "$log"
