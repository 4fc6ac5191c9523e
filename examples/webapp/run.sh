#!/usr/bin/env bash
# The whole example on this host, which runs Docker and fairleadd: as root.
#
#   examples/webapp/run.sh [--keep]      builds, pushes, pulls, starts, scales, asks; --keep leaves it running
#   examples/webapp/run.sh --clean       removes what --keep left
#
# It uses docker-compose (1.29) where there is one, docker compose (2) otherwise; COMPOSE="docker compose" chooses.
set -euo pipefail
cd "$(dirname "$0")"
case ${1:-} in '' | --keep | --clean) ;; *) sed -n '2,7s/^# \{0,1\}//p' "$0" >&2; exit 2 ;; esac
compose=${COMPOSE:-$(command -v docker-compose >/dev/null && echo docker-compose || echo docker compose)}
export DOCKER_BUILDKIT=0 COMPOSE_DOCKER_CLI_BUILD=0  # the builder without a registry
registry() { $compose --project-name webapp-registry --file registry.yml "$@"; }
webapp() { $compose --project-name webapp --file docker-compose.yml "$@"; }
title() { printf '\n== %s\n' "$*"; }
show() { printf '$ %s\n' "$*"; "$@"; }
show_ask() { printf '$ curl %shttp://127.0.0.1:8080/\n' "${*:+$* }"; ask "$@"; }
said=$(mktemp)
quiet() { "$@" >"$said" 2>&1 </dev/null || { cat "$said" >&2; echo "webapp: failed: $*" >&2; return 1; }; }
ask() { curl --silent --fail --max-time 10 "$@" http://127.0.0.1:8080/; }
wait_for() { # text, seconds, command...
  local text=$1 deadline=$((SECONDS + $2))
  shift 2
  until "$@" >/dev/null 2>&1; do
    [ $SECONDS -lt $deadline ] || { echo "webapp: waited in vain for $text" >&2; return 1; }
    sleep 0.2
  done
}
clean() {
  quiet webapp down --volumes --timeout 5 || true
  quiet registry down --volumes --timeout 5 || true
}
finish() { code=$?; trap - EXIT; [ "$keep" = yes ] && [ $code -eq 0 ] || { title "Cleaning up"; clean; }; rm -f "$said"; exit $code; }
keep=no
[ "${1:-}" = --keep ] && keep=yes
[ "${1:-}" = --clean ] && { clean; rm -f "$said"; echo "Cleaned."; exit 0; }
trap finish EXIT

title "Images, from Debian's packages and three Dockerfiles"
quiet ./images.sh
quiet webapp build
quiet registry build
docker images --format '{{.Repository}} {{.Size}}' | grep webapp

title "A registry on a Fairlead network, its images in a Fairlead volume"
quiet registry up --detach
wait_for "the registry" 30 curl --silent --fail http://127.0.0.1:5000/v2/
for image in webapp-web webapp-db; do
  quiet docker push 127.0.0.1:5000/$image
  quiet docker rmi 127.0.0.1:5000/$image
done
quiet webapp pull
show curl --silent http://127.0.0.1:5000/v2/_catalog

title "Up, three containers behind the name web"
quiet webapp up --detach --no-build --scale web=3
wait_for "the app" 90 ask
show_ask
show_ask --data first-note
for _ in 1 2 3 4 5 6; do ask; done | sed 's/.*"web": "\([^"]*\)".*/\1/' | sort | uniq -c | sed 's/^ */   answers by each container: /'

title "The database's container is made anew: the volume keeps the notes"
quiet webapp rm --stop --force db
quiet webapp up --detach --no-build --scale web=3
wait_for "the database" 60 ask
show_ask
ask | grep -q "first-note"

title "What Fairlead knows of it"
if command -v fairlead >/dev/null; then
  show fairlead endpoint ls
  show fairlead port ls
  show fairlead volume ls
fi
[ $keep = no ] || echo "It is running: http://127.0.0.1:8080/. Remove it with: examples/webapp/run.sh --clean"
