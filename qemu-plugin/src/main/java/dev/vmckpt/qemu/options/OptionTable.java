// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu.options;

import java.util.Set;

/**
 * Which options QEMU has and which of them take a value; from qemu-options.hx of 4.0 to 10.0. No
 * QEMU tells it: {@code query-command-line-options} leaves out those that take none.
 */
final class OptionTable {
  private static final Set<String> WITHOUT_VALUE =
      Set.of(
          ("h help version enable-kvm nodefaults no-user-config nodefconfig nographic curses sdl"
                  + " no-frame full-screen alt-grab ctrl-grab no-quit portrait win2k-hack no-acpi"
                  + " no-hpet no-fd-bootchk snapshot singlestep S mem-prealloc only-migratable"
                  + " no-reboot no-shutdown daemonize s usb semihosting old-param preconfig"
                  + " enable-fips enable-sync-profile xen-attach xen-domid-restrict audio-help tdf"
                  + " no-kvm no-kvm-irqchip no-kvm-pit no-kvm-pit-reinjection"
                  + " localtime enable-hax")
              .split(" "));

  private static final Set<String> WITH_VALUE =
      Set.of(
          ("machine M accel cpu smp numa add-fd set global boot m mem-path k audiodev audio soundhw"
                  + " device name uuid fda fdb hda hdb hdc hdd cdrom blockdev drive mtdblock sd pflash"
                  + " fsdev virtfs iscsi usbdevice display spice rotate vga g vnc acpitable smbios"
                  + " netdev nic net chardev bt tpmdev bios kernel shim append initrd dtb compat"
                  + " fw_cfg serial parallel monitor qmp qmp-pretty mon debugcon pidfile gdb d D"
                  + " dfilter seed L xen-domid loadvm rtc icount watchdog watchdog-action action echr"
                  + " virtioconsole incoming chroot runas run-with prom-env semihosting-config sandbox"
                  + " readconfig writeconfig trace plugin qtest qtest-log object msg dump-vmstate"
                  + " overcommit tb-size max-ram-below-4g perfmap jitdump startdate clock")
              .split(" "));

  private OptionTable() {}

  static boolean isKnown(String name) {
    return WITHOUT_VALUE.contains(name) || WITH_VALUE.contains(name);
  }

  static boolean takesValue(String name) {
    return WITH_VALUE.contains(name);
  }
}
