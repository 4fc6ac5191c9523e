#!/usr/bin/env bash
# Makes the managed Docker plugin from programs that are built already (cmake/build.sh release -DFAIRLEAD_TESTS=OFF).
#
#   packaging/docker-plugin/build.sh [NAME...]     (fairlead; a name with a registry can be pushed: 127.0.0.1:5000/fairlead:0.2.0)
#
# The programs are taken from ${BIN:-build/release/bin}, Docker's client is ${DOCKER:-docker}, and ${CONFIG:-config.json} is what the plugin
# asks of a host: a host that may not give CAP_SYS_RESOURCE (volumes of ext4 cannot grow there) needs one without it. No registry is asked for anything.
set -euo pipefail
export DOCKER_BUILDKIT=0  # the builder that asks no registry
cd "$(dirname "$0")"
[ $# -gt 0 ] || set -- fairlead
bin=$(realpath "${BIN:-../../build/release/bin}")
docker=${DOCKER:-docker} config=$(realpath "${CONFIG:-config.json}")
for program in fairleadd fairlead; do
  [ -x "$bin/$program" ] || { echo "build.sh: no $bin/$program: run cmake/build.sh release -DFAIRLEAD_TESTS=OFF first" >&2; exit 1; }
done

work=$(mktemp -d)
container=
clean() { [ -z "$container" ] || $docker rm "$container" >/dev/null; rm -rf "$work"; }
trap clean EXIT

DOCKER=$docker ./base.sh
mkdir -p "$work/context/bin" "$work/plugin/rootfs"
install -m 0755 "$bin/fairleadd" "$bin/fairlead" "$work/context/bin/"
install -m 0755 start.sh "$work/context/start"
install -m 0644 Dockerfile "$work/context/Dockerfile"
$docker build --quiet --tag fairlead-plugin-root "$work/context" >/dev/null
container=$($docker create fairlead-plugin-root)
$docker export "$container" | tar -C "$work/plugin/rootfs" -x
mkdir -p "$work/plugin/rootfs"/{mnt/state,var/lib/fairlead}
cp "$config" "$work/plugin/config.json"
for name in "$@"; do
  echo "$name" >"$work/plugin/rootfs/etc/fairlead-plugin"  # Docker refuses a second plugin with the same content
  $docker plugin create "$name" "$work/plugin" >/dev/null
  echo "Made the plugin $name. Enable it with: mkdir -p /var/lib/fairlead && $docker plugin enable $name"
done
