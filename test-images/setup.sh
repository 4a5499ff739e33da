#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Installs the tools that are missing, and says nothing when none is.
#
#   setup.sh build    a JDK 17 and Maven
#   setup.sh demo     build, and QEMU with what the guests are made of
#   setup.sh check    demo, and what only the tests need (the default)

set -eu

wanted=""

command_exists() {
    command -v "$1" >/dev/null 2>&1 || [ -x "/usr/sbin/$1" ] || [ -x "/sbin/$1" ]
}

# want PACKAGE COMMAND...: the package is missing when one of its commands is
want() {
    package=$1
    shift
    for name in "$@"; do
        if ! command_exists "$name"; then
            wanted="$wanted $package"
            return
        fi
    done
}

want_jdk() {
    # A runtime without a compiler, and a compiler older than 17, are both a missing JDK.
    if command_exists javac; then
        home=$(dirname "$(dirname "$(readlink -f "$(command -v javac)")")")
        if [ -r "$home/release" ]; then
            release=$(sed -n 's/^JAVA_VERSION="\([0-9]*\).*/\1/p' "$home/release")
            [ "${release:-0}" -ge 17 ] && return
        else
            return
        fi
    fi
    wanted="$wanted openjdk-17-jdk-headless"
}

want_static_libc() {
    for archive in /usr/lib/x86_64-linux-gnu/libc.a /usr/lib/libc.a /usr/lib64/libc.a; do
        [ -e "$archive" ] && return
    done
    wanted="$wanted libc6-dev"
}

want_static_busybox() {
    # The dynamic busybox has the same name; it would need a libc that the guest does not have.
    if command_exists busybox && ! ldd "$(command -v busybox)" >/dev/null 2>&1; then
        return
    fi
    wanted="$wanted busybox-static"
}

group_build() {
    want_jdk
    want maven mvn
}

group_demo() {
    group_build
    want qemu-system-x86 qemu-system-x86_64
    want qemu-utils qemu-img
    want gcc gcc
    want_static_libc
    want make make
    want nasm nasm
    want_static_busybox
    want cpio cpio
    want gzip gzip
    want zstd zstd
    want kmod depmod modprobe
    want ca-certificates update-ca-certificates
}

group_check() {
    group_demo
    want gdb gdb
    want strace strace
    want e2fsprogs mkfs.ext4 e2fsck
    want xfsprogs mkfs.xfs
    want btrfs-progs mkfs.btrfs
    want socat socat
    want qemu-system-common qemu-storage-daemon
    want qemu-guest-agent qemu-ga
    want swtpm swtpm
    want iproute2 ip
    want util-linux losetup unshare setpriv setsid
    want libvirt-daemon libvirtd virtlogd
    want libvirt-clients virsh
    for driver in /usr/lib/*/libvirt/connection-driver/libvirt_driver_qemu.so; do
        [ -e "$driver" ] || wanted="$wanted libvirt-daemon-driver-qemu"
    done
    want grub-common grub-mkimage
    [ -e /usr/lib/grub/i386-pc/boot.img ] || wanted="$wanted grub-pc-bin"
}

[ $# -gt 0 ] || set -- check
for group in "$@"; do
    case $group in
        build) group_build ;;
        demo) group_demo ;;
        check) group_check ;;
        *)
            echo "setup.sh: no such group: $group (build, demo, check)" >&2
            exit 2
            ;;
    esac
done

[ -n "$wanted" ] || exit 0
wanted=$(printf '%s\n' $wanted | sort -u | tr '\n' ' ')
wanted=${wanted% }

if ! command -v apt-get >/dev/null 2>&1; then
    echo "setup.sh: these are missing, and there is no apt-get to install them with: $wanted" >&2
    exit 1
fi
if [ "$(id -u)" -ne 0 ]; then
    echo "sudo sh -c 'apt-get update && apt-get install -y --no-install-recommends $wanted'" >&2
    exit 1
fi

echo "setup.sh: installing $wanted" >&2
log=$(mktemp)
trap 'rm -f "$log"' EXIT
export DEBIAN_FRONTEND=noninteractive
if ! { apt-get update && apt-get install -y --no-install-recommends $wanted; } >"$log" 2>&1 </dev/null; then
    tail -n 20 "$log" >&2
    echo "setup.sh: could not install: $wanted" >&2
    exit 1
fi
