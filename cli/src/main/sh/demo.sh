#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# vmckpt demo: boots a Linux guest in QEMU, saves it, kills it, brings it back, and says for each step what it runs.
# Ends with 0 only if the guest went on where it was. With --json the story goes to standard error, and one object to
# standard output.

set -eu

root=$(cd -P -- "$(dirname -- "$0")/../../../.." && pwd -P)
images=$root/test-images
json=
[ "${1:-}" = --json ] && json=yes
# 1 tells the story, 3 gives the result.
exec 3>&1
[ -z "$json" ] || exec 1>&2

bold= plain=
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ] && [ "${TERM:-dumb}" != dumb ]; then
    bold=$(printf '\033[1m') plain=$(printf '\033[0m')
fi

guest=
restored=
work=
step=starting

# Ends what was started here, and only that: a process counts as ours while it has our folder on its command line.
end_process() {
    [ -n "$1" ] || return 0
    case $({ tr '\0' ' ' <"/proc/$1/cmdline"; } 2>/dev/null) in
        *"$work"*) kill -9 "$1" 2>/dev/null || true ;;
    esac
}

clean_up() {
    status=$?
    trap - EXIT HUP INT TERM
    end_process "$guest"
    end_process "$restored"
    [ "$status" -eq 0 ] || {
        echo "the demo failed while $step"
        [ -z "$work" ] || ! [ -s "$work/serial" ] || {
            echo "the guest's last words:"
            tail -n 5 "$work/serial"
        }
    } >&2
    [ -z "$work" ] || rm -rf "$work"
    [ -z "$json" ] || [ "$status" -eq 0 ] ||
        printf '{ "error" : "the demo failed while %s", "exitCode" : 1, "refusals" : [ ] }\n' "$step" >&3
    exit "$status"
}
trap clean_up EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

tell() {
    printf '\n%s# %s%s\n' "$bold" "$*" "$plain"
}

# The command as it can be typed.
show() {
    printf '$'
    for word in "$@"; do
        case $word in
            *' '*) printf " '%s'" "$word" ;;
            *) printf ' %s' "$word" ;;
        esac
    done
    printf '\n'
}

run() {
    show "$@"
    "$@"
}

vmckpt() {
    "$root/vmckpt" "$@"
}

# The number of the last whole tick line; 0 before the first.
last_tick() {
    number=$(sed -n 's/^tick \([0-9][0-9]*\) uptime .*/\1/p' "$work/serial" 2>/dev/null | tail -n 1)
    echo "${number:-0}"
}

# wait_for_tick N SECONDS
wait_for_tick() {
    tenths=$(($2 * 10))
    while [ "$(last_tick)" -lt "$1" ]; do
        tenths=$((tenths - 1))
        [ "$tenths" -gt 0 ] || {
            echo "no tick $1 within $2 seconds" >&2
            return 1
        }
        sleep 0.1
    done
}

field() {
    sed -n "s/^  \"$1\" : \"\{0,1\}\([^\",]*\)\"\{0,1\},\{0,1\}\$/\1/p" "$2"
}

step="setting up"
tell "Setting up: QEMU, a kernel, a small userland (only the first time)"
run sh "$images/setup.sh" demo
show make -C test-images linux
make -s -C "$images" linux
# The first use builds; the story should not have to wait for it in the middle.
vmckpt --version

work=$(mktemp -d "${TMPDIR:-/tmp}/vmckpt-demo.XXXXXX")
export VMCKPT_STORE="$work/store"
cd "$work"

step="booting the guest"
tell "Booting a Linux guest: 64 MiB of random data under checksums, a line on its serial port for each tick"
set -- qemu-system-x86_64 -accel tcg -m 256 -smp 2 -nodefaults -display none -no-reboot \
    -kernel "$images/target/vmlinuz" -initrd "$images/target/initramfs.gz" \
    -append "console=ttyS0 quiet vmckpt.mem=64 vmckpt.verify=32" -serial "file:$work/serial"
show "$@" "&"
"$@" </dev/null >/dev/null 2>&1 3>&- &
guest=$!
wait_for_tick 10 40
run tail -n 3 "$work/serial"

step="inspecting the guest"
tell "What this process holds, and who carries each piece"
run vmckpt inspect "$guest"

step="saving the guest"
tell "Saving it; it goes on"
show vmckpt snapshot "$guest" --name demo
vmckpt snapshot "$guest" --name demo --json >"$work/snapshot.json"
saved=$(last_tick)
pause=$(field pauseMillis "$work/snapshot.json")
echo "$(field snapshot "$work/snapshot.json")  demo  pause $pause ms"

step="killing the guest"
tell "Killing it: its last tick is number $(last_tick)"
run kill -9 "$guest"
wait "$guest" 2>/dev/null || true
run tail -n 1 "$work/serial"
before=$(last_tick)
sleep 1
[ "$(last_tick)" -eq "$before" ] || {
    echo "the guest goes on although it was killed" >&2
    exit 1
}

step="bringing the guest back"
tell "Bringing it back"
show vmckpt restore demo
vmckpt restore demo --json >"$work/restore.json"
restored=$(field pid "$work/restore.json")
took=$(field totalMillis "$work/restore.json")
echo "$restored  demo  $took ms"

step="waiting for the guest to go on"
# Beyond what the killed one had said, which may still stand in the file behind what this one writes.
wait_for_tick $((before + 5)) 20
tell "It goes on where it was, and finds its memory as it left it"
run tail -n 5 "$work/serial"
after=$(last_tick)
line=$(tail -n 1 "$work/serial")
case $line in
    *"mem-errors 0 disk-errors 0 "*) ;;
    *)
        # The last line may be half written: look at the last whole one.
        line=$(grep '^tick .* clock-jumps ' "$work/serial" | tail -n 1)
        case $line in
            *"mem-errors 0 disk-errors 0 "*) ;;
            *)
                echo "the guest found errors: $line" >&2
                exit 1
                ;;
        esac
        ;;
esac

step="ending the guest"
tell "Ending it and removing the snapshot"
run kill -9 "$restored"
tenths=50
while { read -r _ <"/proc/$restored/maps"; } 2>/dev/null && [ "$tenths" -gt 0 ]; do
    tenths=$((tenths - 1))
    sleep 0.1
done
run vmckpt rm demo
tell "Done: the pause was $pause ms, the restore took $took ms, and the guest ticked on from $saved to $after"
[ -z "$json" ] || printf '{ "savedTick" : %s, "lastTick" : %s, "pauseMillis" : %s, "restoreMillis" : %s }\n' \
    "$saved" "$after" "$pause" "$took" >&3
