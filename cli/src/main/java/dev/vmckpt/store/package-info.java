// SPDX-License-Identifier: Apache-2.0
/**
 * Where snapshots live: a folder each, written under a temporary name, made durable, and renamed.
 *
 * <p>Until the rename there is no snapshot; after it there is a whole one. The order in {@link
 * dev.vmckpt.store.Draft#commit} is what this promise rests on: the contents of every file, then
 * the manifest that names them, then the folders, then the rename, then the store's own folder.
 *
 * <pre>
 * STORE/.lock               held for moments by whoever begins, commits or removes something
 * STORE/ID/                 a snapshot: manifest.json and the files it names
 * STORE/.tmp-ID/            a draft, or what is left of a snapshot that is being removed
 * STORE/.tmp-ID.lock        locked as long as the writer of that draft lives; holds the name it reserved
 * STORE/work/ID-N/          what a process restored from ID works on: copies of disks
 * STORE/work/ID-N.lock      locked as long as that restore is under way
 * </pre>
 *
 * <p>Locks are the kernel's (fcntl(2)): they end with their process, however it ends, so nothing
 * has to be cleaned up by hand. What belongs elsewhere: anything that looks into a snapshot's
 * memory.
 */
@NullMarked
package dev.vmckpt.store;

import org.jspecify.annotations.NullMarked;
