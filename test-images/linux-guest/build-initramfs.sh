#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# build-initramfs.sh KERNEL-DIRECTORY WORKER INIT OUTPUT: packs busybox, the worker, and those kernel modules that the
# guest's devices need, each with a list of its dependencies in loading order.

set -eu

kernel=$1 worker=$2 init=$3 output=$4
version=$(cat "$kernel/version")
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
chmod 755 "$tree"
mkdir -p "$tree/bin" "$tree/dev" "$tree/proc" "$tree/sys" "$tree/modules" "$tree/loaded"

cp "$(command -v busybox)" "$tree/bin/busybox"
ln -s busybox "$tree/bin/sh"
cp "$worker" "$tree/guest-worker"
cp "$init" "$tree/init"
chmod 755 "$tree/init" "$tree/guest-worker"

for module in virtio_pci virtio_blk virtio_net virtio_console virtio-rng virtio_balloon virtio_scsi ext4; do
    order="$tree/modules/$module.order"
    : >"$order"
    # A module that is built in prints "builtin NAME"; only "insmod PATH" lines are files.
    PATH=$PATH:/usr/sbin:/sbin modprobe -d "$kernel/root" -S "$version" -C /dev/null --show-depends "$module" |
        sed -n 's/^insmod \([^ ]*\).*/\1/p' |
        while read -r file; do
            name=$(basename "$file")
            case $name in
                *.xz) name=${name%.xz} && xz -dc "$file" >"$tree/modules/$name" ;;
                *.zst) name=${name%.zst} && zstd -qdc "$file" >"$tree/modules/$name" ;;
                *.gz) name=${name%.gz} && gzip -dc "$file" >"$tree/modules/$name" ;;
                *) cp "$file" "$tree/modules/$name" ;;
            esac
            echo "$name" >>"$order"
        done
done

mkdir -p "$(dirname "$output")"
(cd "$tree" && find . | LC_ALL=C sort | cpio -o -H newc -R 0:0 --quiet) | gzip -9n >"$output.part"
mv "$output.part" "$output"
