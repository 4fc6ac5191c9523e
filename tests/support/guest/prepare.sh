#!/usr/bin/env bash
# prepare.sh FOLDER: fetches Debian's kernel for virtual machines and makes of it, once, what boot.sh starts from:
# FOLDER/vmlinuz and FOLDER/base.cpio, a root file system with busybox and the modules that the tests need.
# Exit code 77: it cannot be done here; the last line says why.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
folder=$1
# With what they depend on.
modules=(wireguard vxlan veth bridge dummy macvlan ipvlan 8021q
  nf_tables nf_conntrack nf_nat nft_chain_nat nft_ct nft_fib_inet nft_masq nft_nat nft_reject_inet nft_socket nft_connlimit nft_meta_bridge nf_conntrack_netlink)

cannot() { echo "$*" >&2; exit 77; }
[ "$(uname -m)" = x86_64 ] || cannot "the guest is an x86_64 machine, this one is $(uname -m)"
[ "$(id -u)" -eq 0 ] || cannot "packages and device nodes need root"
"$here/../../../packaging/install-packages.sh" "$here/packages.txt" || cannot "the packages of an emulator could not be installed"
[ -s "$folder/vmlinuz" ] && [ -s "$folder/base.cpio" ] && [ "$folder/base.cpio" -nt "$here/init" ] && [ "$folder/base.cpio" -nt "$here/prepare.sh" ] && exit 0

mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
work=$(mktemp -d "$folder/work.XXXXXX")
trap 'rm -rf "$work"' EXIT

package=$(apt-cache depends linux-image-cloud-amd64 2>/dev/null | sed -nE 's/^ *Depends: (linux-image-.*)$/\1/p' | head -n 1)
[ -n "$package" ] || cannot "apt knows no linux-image-cloud-amd64"
(cd "$work" && apt-get download -qq -o APT::Sandbox::User=root "$package") || cannot "$package could not be downloaded"
dpkg-deb -x "$work"/*.deb "$work/kernel"
version=$(basename "$work"/kernel/lib/modules/*)

root=$work/root
mkdir -p "$root"/{bin,dev,etc,lib/modules,proc,root,run,sbin,sys,tmp,usr,var}
cp "$(command -v busybox)" "$root/bin/busybox"
ln -s busybox "$root/bin/sh"
ln -s ../bin/busybox "$root/sbin/modprobe"  # the kernel loads modules by this name
install -m 0755 "$here/init" "$root/init"
cp /etc/protocols "$root/etc/protocols"  # for nft
mknod "$root/dev/console" c 5 1
mknod "$root/dev/null" c 1 3

depmod -b "$work/kernel" "$version"
for module in "${modules[@]}"; do
  modprobe -d "$work/kernel" -S "$version" --show-depends "$module" || cannot "$package has no module $module"
done | sed -nE 's/^insmod ([^ ]+).*/\1/p' | sort -u | while read -r file; do
  install -D -m 0644 "$file" "$root/lib/modules/${file#"$work"/kernel/lib/modules/}"
done
cp "$work/kernel/lib/modules/$version"/modules.{builtin,builtin.modinfo,order} "$root/lib/modules/$version/"
depmod -b "$root" "$version"

cp "$work/kernel/boot/vmlinuz-$version" "$folder/vmlinuz"
(cd "$root" && find . | cpio -o -H newc --quiet) >"$work/base.cpio"
mv "$work/base.cpio" "$folder/base.cpio"
echo "$version" >"$folder/version"
