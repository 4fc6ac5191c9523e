#!/bin/sh
# What the managed plugin starts with: puts the host's folders where fairleadd expects them, and becomes it.
set -eu
# Docker looks for volumes below its `propagated mount`, which is /var/lib/fairlead. The host's own folder is put there, so that
# data stays on the host when the plugin is updated or removed; fairleadd sees the same paths as one that is installed does.
mount --rbind /mnt/state /var/lib/fairlead
# Forwarding and the settings of bridges are written; Docker gives plugins a /proc/sys that cannot be.
mount -o remount,bind,rw /proc/sys
configuration=/var/lib/fairlead/fairlead.json
[ -e "$configuration" ] && set -- --config "$configuration"
exec /usr/sbin/fairleadd --log-level "${LOG_LEVEL:-info}" "$@"
