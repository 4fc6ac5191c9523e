#!/usr/bin/env bash
# boot.sh [-t SECONDS] [-x FOLDER] [-p PROGRAM]... PROGRAM...: runs test programs (GoogleTest; quoted together with their arguments) as root
# under Debian's own kernel, in an emulated machine that has neither disk nor network. For what the kernel of this
# machine lacks, such as WireGuard. -x: their results as FOLDER/<program>.xml. -p: a program that the tests find in PATH. Exit code: the worst of the programs', 77
# when it cannot be done here (the last line says why), 124 when it took too long, 125 when the guest did not work.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
seconds=300 results= helpers=()
while getopts t:x:p: option; do
  case $option in
    t) seconds=$OPTARG ;;
    x) results=$OPTARG ;;
    p) helpers+=("$(command -v "$OPTARG")") || { echo "boot.sh: no program $OPTARG" >&2; exit 77; } ;;
    *) exit 2 ;;
  esac
done
shift $((OPTIND - 1))
[ $# -gt 0 ] || { echo "boot.sh: name a program" >&2; exit 2; }

kernel=$root/build/guest
"$here/prepare.sh" "$kernel"
prepared=$?
[ $prepared -eq 0 ] || exit $((prepared == 77 ? 77 : 125))
work=$(mktemp -d "$kernel/run.XXXXXX")
machine=
cleanup() {
  [ -n "$machine" ] && kill "$machine" 2>/dev/null
  rm -rf "$work"
}
trap cleanup EXIT

# The programs with the libraries they load; libnftables is loaded by name when it is first used.
mkdir -p "$work/root"
add_libraries() { # file
  ldd "$1" | sed -nE 's/^.*[[:space:]](\/[^ ]+) \(0x[0-9a-f]+\)$/\1/p' | while read -r library; do
    install -D -m 0755 "$(readlink -f "$library")" "$work/root$library"
  done
}
for program in "${helpers[@]}"; do
  install -D -m 0755 "$program" "$work/root/usr/bin/$(basename "$program")"
  add_libraries "$program"
done
for line in "$@"; do
  program=${line%% *}
  name=$(basename "$program")
  arguments=${line#"$program"}
  [ -x "$program" ] || { echo "boot.sh: $program is no program" >&2; exit 2; }
  strip -o "$work/root/$name" "$program"
  add_libraries "$program"
  echo "/$name$arguments" >>"$work/root/tests"
done
nftables=$(ldconfig -p | sed -nE 's/^.*libnftables\.so\.1 .*x86-64.* => (.*)$/\1/p' | head -n 1)
if [ -n "$nftables" ]; then
  install -D -m 0755 "$(readlink -f "$nftables")" "$work/root$nftables"
  add_libraries "$nftables"
fi
cp "$kernel/base.cpio" "$work/initrd"
(cd "$work/root" && find . | cpio -o -H newc --quiet) >>"$work/initrd"
rm -rf "$work/root"

: >"$work/console"
# qemu 7.2 translates cmpxchg16b wrongly, so the guest's processor is without it (and without five levels of pages).
timeout --foreground -k 5 "$seconds" qemu-system-x86_64 -accel tcg,thread=multi -M q35 -cpu max,la57=off,-cx16 -smp 2 -m 1536 \
  -nodefaults -no-user-config -display none -no-reboot -nic none \
  -kernel "$kernel/vmlinuz" -initrd "$work/initrd" \
  -append "console=ttyS0 quiet panic=-1 oops=panic nokaslr mitigations=off tsc=reliable no_timer_check rcupdate.rcu_expedited=1 cryptomgr.notests=1 audit=0" \
  -serial stdio -serial "file:$work/results" </dev/null >"$work/console" 2>&1 &
machine=$!
tail -s 0.2 -f --pid="$machine" "$work/console" | sed -u 's,\r$,,'
wait "$machine"
code=$?
machine=
[ $code -eq 124 ] && { echo "boot.sh: the guest took longer than $seconds seconds" >&2; exit 124; }

worst=$(sed -nE 's/^== done ([0-9]+)$/\1/p' "$work/results")
[ -n "$worst" ] || { echo "boot.sh: the guest stopped before the end (emulator's exit code $code)" >&2; exit 125; }
if [ -n "$results" ]; then
  mkdir -p "$results"
  part=1
  for line in "$@"; do
    name=$(basename "${line%% *}")
    awk -v part=$part 'BEGIN { n = 1 } /^== exit / { n++; next } n == part && !/^== / && NF' "$work/results" >"$results/$name.xml"
    part=$((part + 1))
  done
fi
exit "$worst"
