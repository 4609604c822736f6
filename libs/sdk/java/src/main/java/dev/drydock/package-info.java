/**
 * Runs untrusted code on Drydock: programs to a verdict, queues of them, and live sandboxes. {@link dev.drydock.Drydock} is the
 * client. Its methods block, honour interruption, and may be called from any thread.
 */
@NullMarked
package dev.drydock;

import org.jspecify.annotations.NullMarked;
