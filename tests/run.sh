#!/usr/bin/env bash
# Installs what is missing, builds, and runs every test: as root, on Debian 12, from a fresh clone.
#
#   tests/run.sh                  everything
#   tests/run.sh unit kernel ...  only these tiers: lint tidy unit kernel conformance crash fuzz e2e attack guest
#                                 (tidy and guest: only when named)
#
# The last line is "N passed, N failed, N skipped"; before it are the skips with their reasons, the slowest tests and how long
# each part took.
set -uo pipefail
cd "$(dirname "$0")/.."
root=$PWD

if [ "$(id -u)" -ne 0 ]; then
  echo "tests/run.sh needs root: namespaces, mounts and nftables are tested for real. Try: sudo tests/run.sh" >&2
  exit 1
fi

tiers=${*:-lint unit conformance kernel crash fuzz e2e attack}
wants() { case " $tiers " in *" $1 "*) return 0 ;; *) return 1 ;; esac; }
passed=0 failed=0 skipped=0
skips=$(mktemp) failures=$(mktemp) times=$(mktemp)
trap 'rm -f "$skips" "$failures" "$times"' EXIT
SECONDS=0 part='' began=0 parts=()
say() { # the next part begins
  [ -n "$part" ] && parts+=("$(printf '%5d s  %s' $((SECONDS - began)) "$part")")
  part=$* began=$SECONDS
  printf '\n== %s (%ss)\n' "$*" "$SECONDS"
}
die() { echo "$*" >&2; exit 1; }

lists=(packaging/build-packages.txt packaging/test-packages.txt)
{ wants e2e || wants attack; } && lists+=(tests/e2e/packages.txt)
say "packages"
packaging/install-packages.sh "${lists[@]}" || die "packages could not be installed"

# Compiled tests and fuzzers are one tree of clang's with AddressSanitizer and UBSan; the programs that meet real runtimes
# are the release build of g++.
say "build: release (programs)"
cmake/build.sh release -DFAIRLEAD_TESTS=OFF || die "build failed"

if wants unit || wants conformance || wants kernel || wants crash || wants fuzz || wants guest; then
  say "build: asan (tests, fuzzers)"
  cmake/build.sh asan || die "build failed"
fi

# A tier's JUnit file has the counts and the reasons for skips.
count_tier() { # tier
  local log="$root/build/asan/tests-$1.log"
  python3 tests/support/count_junit.py "$root/build/asan/$1.xml" "$skips" "$failures" "$times" >counts.tmp || { tail -n 60 "$log"; die "no results of tier $1"; }
  read -r p f s <counts.tmp
  rm -f counts.tmp
  echo "$1: $p passed, $f failed, $s skipped"
  [ "$f" -gt 0 ] && grep -vE '^ *[0-9]+/[0-9]+ Test .*Passed' "$log" | tail -n 150
  passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
}

run_ctest() { # tier, tests at the same time: each test in a process of its own
  say "$1"
  rm -f "$root/build/asan/$1.xml"
  (cd build/asan && ctest -L "^$1\$" -j"$2" --output-on-failure --no-tests=ignore --output-junit "$root/build/asan/$1.xml" >"tests-$1.log" 2>&1)
  count_tier "$1"
}

run_batches() { # tier: many tests in one process
  say "$1"
  rm -f "$root/build/asan/$1.xml"
  tests/support/run_tests.py "$1" --xml "$root/build/asan/$1.xml" >"build/asan/tests-$1.log" 2>&1
  count_tier "$1"
}

count() { # name, exit code of a check that is one test
  if [ "$2" -eq 0 ]; then passed=$((passed + 1)); else failed=$((failed + 1)); echo "$1" >>"$failures"; fi
}

if wants lint; then
  say "lint"
  git ls-files '*.h' '*.cpp' | xargs -r clang-format-14 --dry-run -Werror
  count "lint: clang-format" $?
  tests/support/includes.py
  count "lint: includes" $?
  python3 tests/support/promises.py
  count "lint: promises" $?
fi
if wants tidy; then  # some seconds for each file: not part of every run
  say "clang-tidy"
  tests/support/tidy.sh
  count "lint: clang-tidy" $?
fi
# More than there are processors, as tests wait too: in the kernel's tier for half of their time.
for tier in unit conformance; do wants "$tier" && run_batches "$tier"; done
wants crash && run_ctest crash $(($(nproc) + 1))
wants kernel && run_ctest kernel $(($(nproc) * 2))

# A fixed seed: what a change meets here does not depend on luck. FAIRLEAD_FUZZ_SEED=0 takes another one each time.
fuzz() { # folder of outcomes, source
  local name fuzzer=build/asan/fuzz/ corpus dictionary=()
  name=$(basename "$2" .cpp)
  fuzzer+=$name
  [ -x "$fuzzer" ] || { echo "it does not build" >"$1/$name.log"; return; }
  corpus=$1/$name
  mkdir "$corpus"
  [ -f "tests/fuzz/$name.dict" ] && dictionary=(-dict="tests/fuzz/$name.dict")
  "$fuzzer" "${dictionary[@]}" -seed="${FAIRLEAD_FUZZ_SEED:-1}" -max_total_time="${FAIRLEAD_FUZZ_SECONDS:-3}" -rss_limit_mb=2048 -timeout=5 -artifact_prefix="$corpus/" "$corpus" >"$corpus.log" 2>&1
  echo $? >"$corpus.code"
}
export -f fuzz

if wants fuzz; then
  say "fuzz (${FAIRLEAD_FUZZ_SECONDS:-3} s for each codec)"
  outcomes=$(mktemp -d)
  printf '%s\n' tests/fuzz/fuzz_*.cpp | xargs -P "$(nproc)" -I{} bash -c 'fuzz "$@"' fuzz "$outcomes" {}
  for source in tests/fuzz/fuzz_*.cpp; do
    name=$(basename "$source" .cpp)
    code=$(cat "$outcomes/$name.code" 2>/dev/null || echo 1)
    [ "$code" -ne 0 ] && tail -n 40 "$outcomes/$name.log"
    count "fuzz: $name" "$code"
  done
  rm -rf "$outcomes"
fi

if wants guest; then  # a kernel in an emulated machine, for what this one lacks: a minute or two
  say "guest: tests under another kernel"
  rm -rf build/guest/results
  out=$(mktemp)
  tests/support/guest/run.sh -x build/guest/results 2>&1 | tee "$out"
  code=${PIPESTATUS[0]}
  if [ "$code" -eq 77 ]; then
    skipped=$((skipped + 1))
    echo "guest: $(tail -n 1 "$out")" >>"$skips"
  else
    [ "$code" -gt 1 ] && count "guest: exit code $code" 1
    for xml in build/guest/results/*.xml; do
      [ -f "$xml" ] || continue
      read -r p f s < <(python3 tests/support/count_junit.py "$xml" "$skips" "$failures" "$times")
      echo "guest, $(basename "$xml" .xml): $p passed, $f failed, $s skipped"
      passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
    done
  fi
  rm -f "$out"
fi

run_hosts() { # suites: e2e, attack or both, side by side
  local out p f s
  out=$(mktemp)
  python3 tests/e2e/run.py $(printf -- '--suite %s ' "$@") --bin "$root/build/release/bin" 2>&1 | tee "$out"
  read -r p f s < <(sed -nE 's/^([0-9]+) passed, ([0-9]+) failed, ([0-9]+) skipped$/\1 \2 \3/p' "$out" | tail -n 1) || true
  if [ -z "${p:-}" ]; then p=0 f=1 s=0; fi
  grep -E '^(FAIL|ERROR)' "$out" | head -40 >>"$failures"
  grep -E '^SKIP' "$out" >>"$skips"
  sed -nE 's/^(ok|FAIL|ERROR) +([0-9.]+) s  (.*)/\2 \3/p' "$out" >>"$times"
  rm -f "$out"
  passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
}

suites=()
for suite in e2e attack; do wants "$suite" && suites+=("$suite"); done
if [ ${#suites[@]} -gt 0 ]; then
  say "${suites[*]}: real runtimes; containers, neighbours, hosts and callers that attack"
  run_hosts "${suites[@]}"
fi

say "result"
[ -s "$skips" ] && { echo "Skipped:"; sort "$skips" | uniq -c | sed 's/^/  /'; }
[ -s "$times" ] && { echo "Slowest tests:"; sort -rn "$times" | head -n 10 | awk '{ $1 = sprintf("%7.1f s ", $1); print }'; }
echo "Time:"
printf '  %s\n' "${parts[@]}" "$(printf '%5d s  in all' "$SECONDS")"
[ -s "$failures" ] && { echo "Failed:"; sed 's/^/  /' "$failures"; }
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
