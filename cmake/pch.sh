#!/usr/bin/env bash
# Precompiles a header; beside it, in PCH.sum, what ccache compares instead of the bytes: the flags and all that the header says,
# without the names of folders.
#
#   cmake/pch.sh PCH HEADER COMPILER FLAG...
set -euo pipefail
pch=$1 header=$2
shift 2
own=()
case $pch in *.pch) own=(-Xclang -fno-pch-timestamp -fpch-instantiate-templates) ;; esac # clang's
"$@" "${own[@]}" -x c++-header "$header" -o "$pch"
{ echo "$*"; "$@" -E -P -x c++-header "$header"; } | sha256sum >"$pch.sum"
