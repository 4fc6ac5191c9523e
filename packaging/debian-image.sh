#!/usr/bin/env bash
# Makes a Docker image of Debian packages, without any registry: debootstrap makes the root, once, and docker import takes it.
#
#   packaging/debian-image.sh IMAGE PACKAGE...
#
# The root is kept as a tar file below ${FAIRLEAD_IMAGE_CACHE:-/var/cache/fairlead-images} and taken again for the same packages.
# Debian's suite is ${SUITE:-bookworm}, its mirror the one that apt uses here. LEAVE_OUT names
# files (patterns) that the root need not have. With an IMAGE of "-" it only makes the tar file and prints its path.
set -euo pipefail
[ $# -ge 2 ] || { sed -n '2,9s/^# \{0,1\}//p' "$0" >&2; exit 2; }
image=$1 suite=${SUITE:-bookworm}
shift
packages=$(printf '%s\n' "$@" | sort -u | paste -sd,)
folder=${FAIRLEAD_IMAGE_CACHE:-/var/cache/fairlead-images}
root=
tar=$folder/$suite-$(printf '%s' "$packages ${LEAVE_OUT:-}" | sha256sum | cut -c1-16).tar

make_tar() {
  local mirror
  command -v debootstrap >/dev/null || { echo "debian-image: debootstrap is not installed: apt-get install debootstrap" >&2; exit 1; }
  mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | sed 's,/$,,' | grep -m 1 '/debian$' || true)
  root=$(mktemp -d "$folder/making.XXXXXX")
  trap 'rm -rf "$root" "$root.log" "$root.tar"' EXIT
  echo "debian-image: making the root of $suite with $packages (once)" >&2
  # In a mount namespace of its own: what is mounted meanwhile goes with it, also when it fails.
  unshare --mount debootstrap --variant=minbase --include="$packages" "$suite" "$root" ${mirror:+"$mirror"} >"$root.log" 2>&1 </dev/null ||
    { tail -n 5 "$root.log" >&2; echo "debian-image: debootstrap of $suite failed" >&2; exit 1; }
  rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/usr/share/{doc,man,locale,info}/* "$root"/dev/*
  (cd "$root" && rm -rf ${LEAVE_OUT:-})
  tar --numeric-owner -C "$root" -c . >"$root.tar"
  mv "$root.tar" "$tar"
}

mkdir -p "$folder"
exec 9>"$tar.lock"
flock 9  # two at once make it once
[ -s "$tar" ] || make_tar
exec 9>&-
if [ "$image" = - ]; then echo "$tar"; else ${DOCKER:-docker} import "$tar" "$image" >/dev/null; fi
