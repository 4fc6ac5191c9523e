#!/usr/bin/env bash
# Builds Debian packages of this tree: fairlead and fairlead-dev, for the Debian that this machine runs.
#
#   packaging/build-deb.sh [OUTDIR]      (default build/deb; what is put there is printed)
#
#   FAIRLEAD_DEB_VERSION=0.1.9-1   another version than that of CMakeLists.txt
#
# It needs packaging/build-packages.txt and packaging/deb-packages.txt installed, and no root. All it makes is below build/: the objects in
# build/package, which the next run goes on with (a first one takes what ccache knows).
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
out=${1:-build/deb}
version=${FAIRLEAD_DEB_VERSION:-$(sed -n 's/^project(fairlead VERSION \([0-9.]*\).*/\1/p' CMakeLists.txt)-1}

for tool in dpkg-buildpackage dh; do
  command -v "$tool" >/dev/null && continue
  echo "build-deb: $tool is missing; as root: packaging/install-packages.sh packaging/build-packages.txt packaging/deb-packages.txt" >&2
  exit 1
done
mkdir -p "$out"
out=$(cd "$out" && pwd)
stage=$root/build/deb-stage
rm -rf "$stage"
mkdir -p "$stage/package"
cp -r packaging/debian "$stage/package/debian"

# The time is the last commit's, so that the same sources make the same package.
when=$(git log -1 --format=%cd --date=rfc 2>/dev/null || date -R)
distribution=$(. /etc/os-release && echo "${VERSION_CODENAME:-unstable}")
cat >"$stage/package/debian/changelog" <<CHANGELOG
fairlead ($version) $distribution; urgency=medium

  * See CHANGELOG.md.

 -- $(sed -n 's/^Maintainer: //p' packaging/debian/control)  $when
CHANGELOG

log=$stage/build.log
export FAIRLEAD_SOURCE=$root
# CMake finds what is missing, and says how it is called there.
(cd "$stage/package" && dpkg-buildpackage --build=binary --no-sign --no-check-builddeps) >"$log" 2>&1 ||
  { tail -n 40 "$log"; echo "build-deb: dpkg-buildpackage failed; all it said is in $log" >&2; exit 1; }
mv "$stage"/*.deb "$out"
ls "$out"/fairlead*_"${version#*:}"_*.deb
