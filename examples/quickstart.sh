#!/usr/bin/env bash
# From a fresh clone to real containers on a Fairlead network: as root, on Debian 12.
#
#   examples/quickstart.sh [--yes] [--keep] [--no-docker]
#
#   --yes         install docker.io without asking, if there is no Docker
#   --keep        leave everything running at the end, to play with (run it with --clean later)
#   --no-docker   only the parts that need no container runtime
#   --clean       remove what an earlier run with --keep left
#
# It uses folders of its own (/run/fairlead-quickstart, /var/lib/fairlead-quickstart) and Docker's plugin folder, shows each
# command that it runs, and cleans up after itself. No image is downloaded: the container's root is busybox.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
bin=$root/build/release/bin
run_dir=/run/fairlead-quickstart
state_dir=/var/lib/fairlead-quickstart
outside=fairlead-outside
docker_socket=$run_dir/docker.sock
answer_yes=no keep=no with_docker=yes only_clean=no

usage() { sed -n '2,12s/^# \{0,1\}//p' "$root/examples/quickstart.sh"; }
for argument in "$@"; do
  case $argument in
    --yes | -y) answer_yes=yes ;;
    --keep) keep=yes ;;
    --no-docker) with_docker=no ;;
    --clean) only_clean=yes ;;
    --help | -h) usage; exit 0 ;;
    *) echo "quickstart: unknown option \"$argument\"" >&2; usage >&2; exit 2 ;;
  esac
done

bold=$(tput bold 2>/dev/null || true) plain=$(tput sgr0 2>/dev/null || true)
[ -t 1 ] || { bold='' plain=''; }
title() { printf '\n%s== %s%s\n' "$bold" "$*" "$plain"; }
say() { printf '   %s\n' "$*"; }
show() { # shows a command as a person would type it, runs it, and shows what it says
  printf '%s$ %s%s\n' "$bold" "$*" "$plain"
  "$@" 2>&1 | sed 's/^/   /'
  return "${PIPESTATUS[0]}"
}
check() { # text, command...: the command must succeed
  local text=$1
  shift
  if "$@" >"$work/check.out" 2>&1; then printf '   ok    %s\n' "$text"; else
    printf '   FAIL  %s\n' "$text"
    sed 's/^/         /' "$work/check.out"
    [ -f "$state_dir/fairleadd.log" ] && tail -n 20 "$state_dir/fairleadd.log" | sed 's/^/         fairleadd: /'
    exit 1
  fi
}
wait_for() { # seconds, command...
  local deadline=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do [ $SECONDS -lt $deadline ] || return 1; sleep 0.1; done
}
stop_pid() { # file with a process id
  local pid
  [ -f "$1" ] || return 0
  pid=$(cat "$1")
  kill "$pid" 2>/dev/null || true
  for _ in $(seq 200); do kill -0 "$pid" 2>/dev/null || break; sleep 0.05; done
  rm -f "$1"
}

if [ "$(id -u)" -ne 0 ]; then
  echo "quickstart: it needs root, for namespaces, bridges and mounts. Try: sudo examples/quickstart.sh" >&2
  exit 1
fi
work=$(mktemp -d)
our_docker() { [ -S "$docker_socket" ]; }
docker_client=$(ls /usr/bin/docker 2>/dev/null || command -v docker || true)
d() { if our_docker; then DOCKER_HOST=unix://$docker_socket "$docker_client" "$@"; else "$docker_client" "$@"; fi; }
# show, with `docker` as a person would type it
show_docker() { printf '%s$ docker %s%s\n' "$bold" "$*" "$plain"; d "$@" 2>&1 | sed 's/^/   /'; return "${PIPESTATUS[0]}"; }
fairlead() { "$bin/fairlead" "$@"; }
export FAIRLEAD_RUN_DIR=$run_dir FAIRLEAD_STATE_DIR=$state_dir FAIRLEAD_VOLUME_DIR=$state_dir/volumes
in_outside() { ip netns exec "$outside" "$@"; }

# A dockerd of our own leaves FORWARD on DROP and chains of its own: the rules from before it come back.
save_rules() {
  nft list tables | sort >"$run_dir/tables.before"
  iptables-save >"$run_dir/iptables.before" 2>/dev/null
  ip6tables-save >"$run_dir/ip6tables.before" 2>/dev/null
}
restore_rules() {
  [ -f "$run_dir/tables.before" ] || return 0
  iptables-restore <"$run_dir/iptables.before"
  ip6tables-restore <"$run_dir/ip6tables.before"
  nft list tables | sort | comm -13 "$run_dir/tables.before" - | grep -E '^table ip6? (filter|nat|mangle|raw)$' |
    sed 's/^/delete /' | nft -f -
}

clean() {
  set +e
  if [ -n "$docker_client" ] && d version >/dev/null 2>&1; then
    d rm -f qs-web qs-db >/dev/null 2>&1
    d network rm qs-shop >/dev/null 2>&1
    d volume rm qs-data >/dev/null 2>&1
    d rmi qs-busybox >/dev/null 2>&1
  fi
  stop_pid "$run_dir/dockerd.pid"
  if [ -x "$bin/fairlead" ] && [ -d "$state_dir" ]; then
    for mini in qs-mini; do [ -x examples/mini-runtime/mini ] && examples/mini-runtime/mini rm "$mini" >/dev/null 2>&1; done
    if ip netns pids qs-cni >/dev/null 2>&1; then cni DEL >/dev/null 2>&1; fi
    for network in qs-shop-api qs-cni; do fairlead network rm "$network" >/dev/null 2>&1; done
    fairlead volume rm qs-notes >/dev/null 2>&1
    fairlead reconcile >/dev/null 2>&1
  fi
  ip netns del qs-cni 2>/dev/null
  stop_pid "$run_dir/fairleadd.pid"
  restore_rules
  ip link del qs-uplink 2>/dev/null
  ip netns del "$outside" 2>/dev/null
  awk -v folder="$state_dir" '$2 ~ "^" folder {print $2}' /proc/mounts | sort -r | xargs -r umount -l 2>/dev/null
  find /sys/fs/cgroup -depth -type d -path '*fairlead-quickstart*' -exec rmdir {} + 2>/dev/null
  rm -rf "$run_dir" "$state_dir" "$work"
}
cni() { # VERB
  CNI_COMMAND=$1 CNI_CONTAINERID=qs-cni CNI_NETNS=/run/netns/qs-cni CNI_IFNAME=eth0 CNI_PATH=$bin \
    "$bin/fairlead-cni" <"$run_dir/cni.json"
}

if [ $only_clean = yes ]; then
  clean
  echo "Cleaned."
  exit 0
fi
if [ -e "$run_dir" ]; then
  echo "quickstart: $run_dir exists: an earlier run was kept. Remove it with: examples/quickstart.sh --clean" >&2
  exit 1
fi

title "1. What is needed"
docker_there() { [ -n "$docker_client" ] && { "$docker_client" version >/dev/null 2>&1 || command -v dockerd >/dev/null; }; }
if [ $with_docker = yes ] && ! docker_there && ! command -v dockerd >/dev/null; then
  if [ $answer_yes = no ] && [ -t 0 ]; then
    printf '   There is no Docker here. Install docker.io from Debian? [Y/n] '
    read -r reply
    case $reply in [Nn]*) with_docker=no ;; *) answer_yes=yes ;; esac
  fi
  if [ $answer_yes = no ] && [ $with_docker = yes ]; then
    say "There is no Docker here, and no terminal to ask: going on without it (--yes installs docker.io)."
    with_docker=no
  fi
fi
lists=(packaging/build-packages.txt examples/packages.txt)
[ $with_docker = yes ] && ! command -v dockerd >/dev/null && ! docker_there && echo docker.io >"$work/docker.txt" && lists+=("$work/docker.txt")
packaging/install-packages.sh "${lists[@]}"
docker_client=$(ls /usr/bin/docker 2>/dev/null || command -v docker || true)
say "All packages are there."

title "2. Build (the first time takes some minutes)"
cmake/build.sh release -DFAIRLEAD_TESTS=OFF fairleadd fairlead fairlead-cni
say "Built: $(cd "$bin" && ls | tr '\n' ' ')"

if nft list tables 2>/dev/null | grep -qx 'table inet fairlead'; then
  echo "quickstart: Fairlead runs on this host already; this demonstration would disturb it. Stop it, or use another host." >&2
  exit 1
fi
finish() {
  code=$?
  trap - EXIT
  if [ $keep = yes ] && [ $code -eq 0 ]; then rm -rf "$work"; exit 0; fi
  title "Cleaning up"
  clean
  say "Everything is gone again."
  exit $code
}
trap finish EXIT
trap 'exit 130' INT TERM

title "3. A world outside"
say "A network namespace plays the world beyond this host: 203.0.113.1. It knows no way to containers, only to this host."
ip netns add "$outside"
ip link add qs-uplink type veth peer name eth0 netns "$outside"
ip addr add 203.0.113.2/24 dev qs-uplink
ip link set qs-uplink up
in_outside ip addr add 203.0.113.1/24 dev eth0
in_outside ip link set eth0 up
in_outside ip link set lo up

title "4. The daemon"
mkdir -p "$run_dir" "$state_dir"
chmod 0700 "$run_dir"
printf '%s$ fairleadd --run-dir %s --state-dir %s &%s\n' "$bold" "$run_dir" "$state_dir" "$plain"
"$bin/fairleadd" --run-dir "$run_dir" --state-dir "$state_dir" >"$state_dir/fairleadd.log" 2>&1 </dev/null &
echo $! >"$run_dir/fairleadd.pid"
check "it answers on its socket" wait_for 10 curl -sf --unix-socket "$run_dir/api.sock" http://localhost/v1/status
show fairlead status

mkdir -p "$work/root/bin" "$work/root/dev" "$work/root/proc" "$work/root/tmp" "$work/root/www" "$work/root/etc"
cp /bin/busybox "$work/root/bin/busybox"
chroot "$work/root" /bin/busybox --install -s /bin
echo "Hello from a container on a Fairlead network." >"$work/root/www/index.html"

fetch_from_outside() { in_outside curl -sf -m 5 http://203.0.113.2:18080/ | grep -q Hello; }
if [ $with_docker = yes ]; then
  title "5. Docker"
  if ! "$docker_client" version >/dev/null 2>&1; then
    say "No Docker daemon is running: starting one of our own."
    mkdir -p "$state_dir/docker"
    save_rules
    dockerd -H "unix://$docker_socket" --data-root "$state_dir/docker" --exec-root "$run_dir/docker" --pidfile "$run_dir/dockerd.pid" \
      --exec-opt native.cgroupdriver=cgroupfs --cgroup-parent /fairlead-quickstart --bridge none >"$state_dir/dockerd.log" 2>&1 </dev/null &
    if ! wait_for 40 d version; then tail -n 20 "$state_dir/dockerd.log"; exit 1; fi
  fi
  say "Docker $(d version -f '{{.Server.Version}}')"
  tar -C "$work/root" -c . | d import -c 'CMD ["/bin/sh"]' -c 'ENV PATH=/bin' - qs-busybox >/dev/null
  show_docker network create -d fairlead --ipam-driver fairlead --subnet 10.77.0.0/24 qs-shop
  show_docker volume create -d fairlead qs-data
  show_docker run -d --name qs-db --network qs-shop -v qs-data:/data qs-busybox sh -c 'echo "written by qs-db" > /data/note; exec sleep 100000'
  show_docker run -d --name qs-web --network qs-shop -p 18080:80 -v qs-data:/data qs-busybox httpd -f -p 80 -h /www
  say "What docker ps cannot show for a plugin's network, Fairlead does:"
  show fairlead port ls
  check "containers reach each other by name" d exec qs-web ping -c 1 -W 3 qs-db
  check "containers reach the outside, behind this host's address" d exec qs-db ping -c 1 -W 3 203.0.113.1
  check "the published port answers from outside" wait_for 5 fetch_from_outside
  check "... from this host by 127.0.0.1" curl -sf -m 5 http://127.0.0.1:18080/
  check "... from another container" d exec qs-db sh -c 'printf "GET / HTTP/1.0\r\n\r\n" | nc -w 3 203.0.113.2 18080 | grep -q Hello'
  check "... and from the container itself" d exec qs-web sh -c 'printf "GET / HTTP/1.0\r\n\r\n" | nc -w 3 203.0.113.2 18080 | grep -q Hello'
  check "both containers see one volume" d exec qs-web grep -q 'written by qs-db' /data/note
  d rm -f qs-db >/dev/null
  check "the volume outlives its container" d run --rm -v qs-data:/data qs-busybox grep -q 'written by qs-db' /data/note
  stop_pid "$run_dir/fairleadd.pid"
  check "containers keep working while fairleadd is down" fetch_from_outside
  "$bin/fairleadd" --run-dir "$run_dir" --state-dir "$state_dir" >>"$state_dir/fairleadd.log" 2>&1 </dev/null &
  echo $! >"$run_dir/fairleadd.pid"
  check "... and it comes back" wait_for 10 curl -sf --unix-socket "$run_dir/api.sock" http://localhost/v1/status
else
  title "5. Docker: left out"
fi

title "6. No runtime at all: a container runtime of a hundred lines, over the JSON API"
show fairlead network create --subnet 10.78.0.0/24 qs-shop-api
show fairlead volume create qs-notes
show examples/mini-runtime/mini run --name qs-mini --network qs-shop-api -v qs-notes:/data -- \
  sh -c 'hostname; ip -4 -o addr show eth0; ping -c 1 -W 3 203.0.113.1 | grep -E "transmitted"; echo "written by mini" > /data/note'
check "its volume keeps the note" grep -rq 'written by mini' "$state_dir/volumes"

title "7. CNI, as containerd, CRI-O or Nomad call it"
cat >"$run_dir/cni.json" <<'JSON'
{ "cniVersion": "1.0.0", "name": "qs-cni", "type": "fairlead", "subnet": "10.79.0.0/24",
  "runtimeConfig": { "portMappings": [{ "hostPort": 18081, "containerPort": 80, "protocol": "tcp" }] } }
JSON
ip netns add qs-cni
printf '%s$ CNI_COMMAND=ADD CNI_CONTAINERID=qs-cni CNI_NETNS=/run/netns/qs-cni CNI_IFNAME=eth0 fairlead-cni < cni.json%s\n' "$bold" "$plain"
cni ADD | sed 's/^/   /'
echo
show ip -n qs-cni -4 -br addr
check "it reaches the outside" ip netns exec qs-cni ping -c 1 -W 3 203.0.113.1
show fairlead endpoint ls
if [ $keep = no ]; then
  check "DEL takes it away again" cni DEL
fi

title "What you can try next"
say "examples/quickstart.sh --keep      leaves all this running; then:"
say "export FAIRLEAD_RUN_DIR=$run_dir FAIRLEAD_STATE_DIR=$state_dir"
our_docker && say "export DOCKER_HOST=unix://$docker_socket"
say "$bin/fairlead network ls           (also: endpoint ls, port ls, volume ls, status; --json everywhere)"
[ $with_docker = yes ] && say "docker run -it --rm --network qs-shop -p 9000:90 qs-busybox sh"
say "nft list table inet fairlead       sets and maps: the rules do not grow with containers"
say "curl --unix-socket $run_dir/api.sock http://localhost/v1/networks"
if [ $keep = yes ]; then say "It is running. Remove it with: examples/quickstart.sh --clean"; fi
exit 0
