#!/usr/bin/env bash
# Builds fairlead-VERSION-ARCH.tar.xz for distributions without dpkg: the installed tree and an install.sh.
#
#   packaging/build-tarball.sh [OUTDIR]     (default build/tarball)
#
# The plugins that runtimes start (CNI, netavark) are static. The other programs need the libraries of docs/packages.md, of the
# versions that this machine has: build it on the oldest distribution that it is to run on.
set -euo pipefail
cd "$(dirname "$0")/.."
out=${1:-build/tarball}
name=fairlead-$(sed -n 's/^project(fairlead VERSION \([0-9.]*\).*/\1/p' CMakeLists.txt)-$(uname -m)
cmake/build.sh package
mkdir -p "$out"
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
DESTDIR=$stage/$name/root cmake --install build/package >/dev/null
rm -r "$stage/$name/root/usr/share/doc/fairlead/LICENSE"
install -m 0644 LICENSE "$stage/$name/LICENSE"
install -m 0755 packaging/tarball-install.sh "$stage/$name/install.sh"
tar --sort=name --owner=0 --group=0 --numeric-owner -C "$stage" -c "$name" | xz -2 >"$out/$name.tar.xz"
echo "$out/$name.tar.xz"
