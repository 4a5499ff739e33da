// SPDX-License-Identifier: Apache-2.0
/**
 * Records to JSON and back, by the components of the records themselves, over Jackson's streaming
 * parser. Strict: a property that is missing, unknown or of another type is an error that names its
 * path.
 */
@NullMarked
package dev.vmckpt.spi.json;

import org.jspecify.annotations.NullMarked;
