#!/usr/bin/env bash
# Configures and builds, and shows how far it is: on a terminal in one line that moves, elsewhere in a line every half minute.
#
#   cmake/build.sh PRESET [-D...]... [TARGET]...
#
# When it fails, what CMake or the compilers said is shown, and the exit code is 1.
set -uo pipefail
cd "$(dirname "$0")/.."
preset=${1:?say which preset: release, asan, dev or tsan}
shift
settings=() targets=()
for argument in "$@"; do
  case $argument in -D*) settings+=("$argument") ;; *) targets+=("$argument") ;; esac
done
[ ${#targets[@]} -gt 0 ] && targets=(--target "${targets[@]}")
log=$(mktemp)
trap 'rm -f "$log"' EXIT
width=0
[ -t 1 ] && width=$(tput cols 2>/dev/null || echo 80)

show() { # text; on a terminal over the one before it
  if [ "$width" -gt 0 ]; then
    local text="   $1"
    printf '\r%s\033[K' "${text:0:width-1}"
  elif [ $SECONDS -ge "$next" ]; then
    printf '   %s\n' "$1"
    next=$((SECONDS + 30))
  fi
}

# Ninja's lines "[12/304] Building CXX object a/CMakeFiles/b.dir/c.cpp.o"; what else it prints is kept for the end.
show_progress() {
  local line file is_command='' next=$((SECONDS + 30))
  while IFS= read -r line; do
    if [[ $line =~ ^\[[0-9]+/[0-9]+\]\  ]]; then
      file=${line##* } file=${file%.o}
      show "${line%% *} ${file/CMakeFiles\/*.dir\//}"
    elif [ -z "$is_command" ]; then
      printf '%s\n' "$line" >>"$log"
    fi
    case $line in FAILED:*) is_command=yes ;; *) is_command='' ;; esac # the command is longer than what it said
  done
  [ "$width" -gt 0 ] && printf '\r\033[K'
}

[ "$width" -gt 0 ] && show "configuring"
cmake --preset "$preset" "${settings[@]}" >"$log" 2>&1 || { echo; cat "$log"; exit 1; }
: >"$log"
NINJA_STATUS='[%f/%t] ' cmake --build --preset "$preset" "${targets[@]}" 2>&1 | show_progress
[ "${PIPESTATUS[0]}" -eq 0 ] || { cat "$log"; exit 1; }
