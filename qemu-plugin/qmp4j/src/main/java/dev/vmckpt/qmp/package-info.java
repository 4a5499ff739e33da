// SPDX-License-Identifier: Apache-2.0
/**
 * A client of QEMU's monitor protocol, QMP, and of the guest agent, which speaks nearly the same.
 *
 * <p>Begin at {@link dev.vmckpt.qmp.Qmp} or {@link dev.vmckpt.qmp.GuestAgent}. Values are Jackson's
 * {@link com.fasterxml.jackson.databind.JsonNode}; no class is bound to what a command takes or
 * returns, so a command that a later QEMU brings needs no later version of this.
 *
 * <p>Each connection has one thread of its own, the <em>reader</em>, a daemon. It alone touches the
 * channel: it reads, takes messages apart, completes what waits, calls listeners, and writes what
 * others have submitted. Interrupting a caller therefore never costs the connection. What is public
 * may be called from any thread; what waits may not be called on the reader, where it would wait
 * for itself, and says so by {@link java.lang.IllegalStateException}.
 *
 * <p>What goes wrong at the other end is a {@link dev.vmckpt.qmp.QmpException}, whose subclasses
 * are its kinds. What the caller did wrong is an {@link java.lang.IllegalArgumentException} or
 * {@link java.lang.IllegalStateException}.
 *
 * <p>Source: QEMU's docs/interop/qmp-spec (qmp-spec.txt before 8.1), docs/interop/qemu-ga and
 * qapi/introspect.json.
 *
 * <p>This package stands on its own: it knows nothing of its neighbours.
 */
@NullMarked
package dev.vmckpt.qmp;

import org.jspecify.annotations.NullMarked;
