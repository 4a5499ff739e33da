// SPDX-License-Identifier: Apache-2.0
/** The client against real servers, and its parser and transport against hostile ones. */
@NullMarked
package dev.vmckpt.qmp;

import org.jspecify.annotations.NullMarked;
