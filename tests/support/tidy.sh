#!/usr/bin/env bash
# clang-tidy over every translation unit of the product that changed since the last clean run (results are kept by content).
set -uo pipefail
cd "$(dirname "$0")/../.."
database=build/release
[ -f "$database/compile_commands.json" ] || { echo "clang-tidy: build the release preset first" >&2; exit 1; }
cache=build/tidy
mkdir -p "$cache"
headers=$(cat .clang-tidy $(git ls-files '*.h') | sha256sum | cut -c1-16)
check() {
  key=$cache/$(cat "$1" | sha256sum | cut -c1-32)-$2
  [ -e "$key" ] && return 0
  out=$(clang-tidy-14 --quiet -p "$3" "$1" 2>/dev/null)
  if printf '%s' "$out" | grep -qE '(warning|error):'; then printf '%s\n' "$out"; return 1; fi
  : >"$key"
}
export -f check
export cache
git ls-files 'base/*.cpp' 'network/*.cpp' 'volume/*.cpp' 'plugin-api/*.cpp' |
  xargs -P "$(nproc)" -I{} bash -c 'check {} '"$headers"' '"$database"
