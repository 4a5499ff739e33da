// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.spi.image;

/**
 * One resource limit (getrlimit(2)); -1 is no limit.
 *
 * @param current the soft limit, in the unit of the resource
 * @param maximum the hard limit
 */
public record LimitImage(long current, long maximum) {}
