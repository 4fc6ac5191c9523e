#!/usr/bin/env bash
# From the package to a container and back to nothing: builds Fairlead's package, installs it, runs the main job with what was
# installed, and removes it without a trace. As root, on a Debian machine that has no Fairlead.
#
#   examples/install.sh [--deb FILE] [--keep]
#
#   --deb FILE    this package instead of building one
#   --keep        leave it installed at the end: `apt purge fairlead` removes it, with all networks and volumes
#
# Nothing is downloaded but Debian's packages. Without systemd it starts fairleadd itself.
set -euo pipefail
cd "$(dirname "$0")/.."
deb='' keep=no
usage() { sed -n '2,10s/^# \{0,1\}//p' examples/install.sh; }
while [ $# -gt 0 ]; do
  case $1 in
    --deb) deb=${2:?--deb needs a file}; shift ;;
    --keep) keep=yes ;;
    --help | -h) usage; exit 0 ;;
    *) echo "install: unknown option \"$1\"" >&2; usage >&2; exit 2 ;;
  esac
  shift
done
if [ "$(id -u)" -ne 0 ]; then
  echo "install: it installs a package, which needs root. Try: sudo examples/install.sh" >&2
  exit 1
fi
if dpkg-query -W -f '${db:Status-Status}' fairlead 2>/dev/null | grep -qv not-installed || [ -e /var/lib/fairlead/state.db ] || nft list table inet fairlead >/dev/null 2>&1; then
  echo "install: there is a Fairlead on this host already (or the state of one); this demonstration would remove it." >&2
  exit 1
fi

title() { printf '\n== %s\n' "$*"; }
show() { printf '$ %s\n' "$*"; "$@" 2>&1 | sed 's/^/   /'; return "${PIPESTATUS[0]}"; }
check() { # text, command...
  local text=$1
  shift
  if "$@" >/dev/null 2>&1; then printf '   ok    %s\n' "$text"; else printf '   FAIL  %s\n' "$text"; return 1; fi
}
wait_for() { for _ in $(seq 100); do "$@" >/dev/null 2>&1 && return; sleep 0.1; done; return 1; }
# All that a package and its services could leave: files, groups, links, rules, mounts.
traces() {
  find /etc /opt /usr /var/lib /run -xdev \( -path /var/lib/dpkg -o -path /run/systemd -o -path /var/lib/systemd -o -path /var/lib/apt \) -prune \
    -o -print 2>/dev/null | grep -i fairlead || true
  getent group fairlead || true
  ip -brief link show | grep -E '^fl[-hcmiqxr]' || true
  nft list tables | grep fairlead || true
  grep /fairlead/ /proc/self/mounts || true
}
namespace=fairlead-install daemon=''
cni() { # VERB
  printf '%s' '{"cniVersion":"1.0.0","name":"shop","type":"fairlead","subnet":"10.79.0.0/24","runtimeConfig":{"portMappings":[{"hostPort":18081,"containerPort":80,"protocol":"tcp"}]}}' |
    CNI_COMMAND=$1 CNI_CONTAINERID=$namespace CNI_NETNS=/run/netns/$namespace CNI_IFNAME=eth0 CNI_PATH=/opt/cni/bin /opt/cni/bin/fairlead
}
finish() {
  local code=$?
  trap - EXIT
  [ -z "$daemon" ] || kill "$daemon" 2>/dev/null || true
  if [ $code -ne 0 ] || [ $keep = no ]; then dpkg --purge fairlead >/dev/null 2>&1 || true; fi
  ip netns del "$namespace" 2>/dev/null || true
  exit $code
}
trap finish EXIT
before=$(traces)

title "1. The package"
if [ -z "$deb" ]; then
  packaging/install-packages.sh packaging/build-packages.txt packaging/deb-packages.txt
  deb=$(packaging/build-deb.sh | grep '/fairlead_')
fi
deb=$(realpath "$deb")
show dpkg-deb --field "$deb" Package Version Architecture

title "2. Installed"
show apt-get install -y --no-install-recommends "$deb"
if [ -d /run/systemd/system ]; then
  check "systemd has started it" systemctl is-active fairleadd.service
  check "... and starts it with the host" systemctl is-enabled fairleadd.service fairleadd.socket
else
  echo "   There is no systemd here: starting fairleadd."
  /usr/sbin/fairleadd >/dev/null 2>&1 </dev/null &
  daemon=$!
fi
check "it answers" wait_for curl -sf --unix-socket /run/fairlead/api.sock http://localhost/v1/status
show fairlead status

title "3. A container"
show fairlead network create --subnet 10.79.0.0/24 shop
show fairlead volume create data
ip netns add "$namespace"
cni ADD >/dev/null
show ip -n "$namespace" -4 -brief addr show eth0
check "it reaches its gateway" ip netns exec "$namespace" ping -c 1 -W 3 10.79.0.1
show fairlead endpoint ls
show fairlead port ls
check "the volume is there" fairlead volume inspect data

if [ $keep = yes ]; then
  cni DEL
  title "It stays: apt purge fairlead removes it, with all networks and volumes"
  exit 0
fi
title "4. Removed, while all of it is in use"
if [ -n "$daemon" ]; then
  kill "$daemon"
  wait "$daemon" || true
  daemon=''
fi
show apt-get purge -y fairlead
ip netns del "$namespace"
check "without a trace" test "$(traces)" = "$before"
