// SPDX-License-Identifier: Apache-2.0
/** {@code vmckpt run}: commands under the recorder, and after it. */
@org.jspecify.annotations.NullMarked
package dev.vmckpt.run;
