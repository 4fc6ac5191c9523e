#!/usr/bin/env bash
# Makes fairlead-base, the base image of the managed plugin's root, from Debian's packages: base.sh [IMAGE]
cd "$(dirname "$0")"
mapfile -t packages < <(sed 's/#.*//' packages.txt | xargs -n1)
# What installs packages, and what they say in other languages: nothing is installed into the plugin.
export LEAVE_OUT="usr/share/i18n usr/share/perl* usr/lib/x86_64-linux-gnu/perl* usr/bin/perl* usr/lib/apt usr/bin/apt* usr/bin/dpkg* var/lib/dpkg usr/lib/x86_64-linux-gnu/libapt* usr/lib/x86_64-linux-gnu/libstdc++.a usr/lib/x86_64-linux-gnu/gconv usr/share/zoneinfo usr/share/bash-completion"
exec ../debian-image.sh "${1:-fairlead-base}" "${packages[@]}"
