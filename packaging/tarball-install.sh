#!/bin/sh
# install.sh: installs Fairlead below /usr, on distributions without dpkg. As root.
#
#   ./install.sh               install, or update: containers keep their traffic, and calls wait
#   ./install.sh --uninstall   remove the programs; networks, volumes and /etc/fairlead stay
#   ./install.sh --check       only look whether all libraries are there
#
# DESTDIR is respected. What was installed is listed in /usr/share/doc/fairlead/files.
set -eu
cd "$(dirname "$0")"
to=${DESTDIR:-}
list=$to/usr/share/doc/fairlead/files

fail() { echo "install.sh: $*" >&2; exit 1; }

# Two libraries are loaded when they are first needed, which the loader does not tell.
missing_libraries() {
    for program in usr/sbin/fairleadd usr/bin/fairlead; do
        ldd "root/$program" 2>&1 | awk '/not found/ { print $1 }'
    done
    for library in libnftables.so.1 libarchive.so.13; do
        { ldconfig -p 2>/dev/null || ls /lib /lib64 /usr/lib /usr/lib64 2>/dev/null; } | grep -q "$library" || echo "$library"
    done
}

check_libraries() {
    missing=$(missing_libraries | sort -u)
    [ -z "$missing" ] || fail "these libraries are missing; install them with your package manager (docs/packages.md says what they are):
$missing"
}

has_systemd() { [ -z "$to" ] && [ -d /run/systemd/system ]; }

install_all() {
    check_libraries
    (cd root && find . -type f -o -type l) | sed 's/^\.//' | while read -r file; do
        mkdir -p "$to$(dirname "$file")"
        # Beside the old one and then in its place: a program that runs is not written to.
        cp -P "root$file" "$to$file.new"
        mv "$to$file.new" "$to$file"
    done
    mkdir -p "$to/opt/cni/bin" "$to/etc/fairlead"
    ln -sfn /usr/lib/cni/fairlead "$to/opt/cni/bin/fairlead"
    { (cd root && find . -type f -o -type l) | sed 's/^\.//'; echo /opt/cni/bin/fairlead; } >"$list"
    [ -n "$to" ] || getent group fairlead >/dev/null || groupadd --system fairlead || addgroup -S fairlead
    has_systemd || { echo "Installed. Start /usr/sbin/fairleadd before the runtimes; docs/starting.md says how other init systems do it."; return; }
    systemctl daemon-reload
    systemctl enable --quiet fairleadd.socket fairleadd.service
    systemctl start fairleadd.socket
    systemctl restart fairleadd.service
    echo "Installed; fairleadd runs."
}

uninstall() {
    [ -f "$list" ] || fail "$list is not there: nothing was installed by this script"
    if has_systemd; then systemctl disable --quiet --now fairleadd.socket fairleadd.service; fi
    while read -r file; do rm -f "$to$file"; done <"$list"
    rm -rf "$to/usr/share/doc/fairlead"
    rmdir "$to/usr/libexec/fairlead" "$to/opt/cni/bin" "$to/opt/cni" "$to/usr/lib/cni" "$to/etc/fairlead" 2>/dev/null || true
    if has_systemd; then systemctl daemon-reload; fi
    if [ -z "$to" ] && [ ! -d /etc/fairlead ] && getent group fairlead >/dev/null; then groupdel fairlead || delgroup fairlead; fi
    echo "Removed. Networks and volumes are still in ${to}/var/lib/fairlead; \"rm -r\" removes them once nothing is mounted below."
}

case ${1:-} in
    '') install_all ;;
    --uninstall) uninstall ;;
    --check) check_libraries; echo "All libraries are there." ;;
    *) sed -n '2,9s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac
