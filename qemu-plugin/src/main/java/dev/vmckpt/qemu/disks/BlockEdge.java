// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu.disks;

/**
 * That something uses a node.
 *
 * @param parent the name of a node, a device's back end, or a job
 * @param kind what the parent is
 * @param role {@code file} for what a format lies in, {@code backing} for what shows through it,
 *     {@code root} for a whole disk
 * @param child the name of the node that is used
 */
record BlockEdge(String parent, Kind kind, String role, String child) {
  /** What uses a node. */
  enum Kind {
    /** Another node. */
    NODE,
    /** A guest's device, or an export. */
    BACK_END,
    /** A block job. */
    JOB
  }
}
