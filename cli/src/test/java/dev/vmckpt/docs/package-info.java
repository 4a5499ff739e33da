// SPDX-License-Identifier: Apache-2.0
/** The documentation against the code. */
@NullMarked
package dev.vmckpt.docs;

import org.jspecify.annotations.NullMarked;
