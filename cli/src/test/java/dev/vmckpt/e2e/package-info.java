// SPDX-License-Identifier: Apache-2.0
/** Real processes, saved, killed and brought back by all of vmckpt together. */
@NullMarked
package dev.vmckpt.e2e;

import org.jspecify.annotations.NullMarked;
