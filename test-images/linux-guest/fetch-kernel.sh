#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# fetch-kernel.sh DIRECTORY: fetches the distribution's cloud kernel into DIRECTORY and unpacks it there. Nothing is
# installed. Leaves DIRECTORY/vmlinuz and DIRECTORY/modules.
#
# Which package holds the kernel is asked of apt: the metapackage's name stays, the version behind it moves on.
# VMCKPT_KERNEL_DEB names a package file to take instead of fetching one.

set -eu

directory=$1
mkdir -p "$directory"
cd "$directory"

refreshed=no
refresh() {
    [ "$refreshed" = no ] && [ "$(id -u)" -eq 0 ] || return 1
    refreshed=yes
    apt-get update >/dev/null 2>&1
}

find_package() {
    for meta in linux-image-cloud-amd64 linux-image-amd64; do
        package=$(apt-cache depends --no-recommends --no-suggests "$meta" 2>/dev/null |
            sed -n 's/^ *|*Depends: *\(linux-image-[0-9][^ ]*\)$/\1/p' | head -n 1)
        [ -n "$package" ] && return 0
    done
    return 1
}

fetch() {
    rm -f ./*.deb
    find_package && apt-get -o APT::Sandbox::User=root download "$package" >apt.log 2>&1
}

if [ -n "${VMCKPT_KERNEL_DEB:-}" ]; then
    deb=$VMCKPT_KERNEL_DEB
else
    # Old package lists name versions that the mirror no longer has: refresh them once, and try again.
    if ! fetch && ! { refresh && fetch; }; then
        [ -r apt.log ] && cat apt.log >&2
        echo "fetch-kernel.sh: no kernel package to be had; run 'apt-get update', or set VMCKPT_KERNEL_DEB" >&2
        exit 1
    fi
    deb=$(echo ./linux-image-*.deb)
fi

rm -rf root
dpkg-deb -x "$deb" root
# Newer packages keep modules under /usr/lib.
[ -d root/lib/modules ] || ln -sfn usr/lib root/lib
version=$(basename "$(echo root/lib/modules/*)")
PATH=$PATH:/usr/sbin:/sbin depmod -b root "$version"
echo "$version" >version
cp "root/boot/vmlinuz-$version" vmlinuz
