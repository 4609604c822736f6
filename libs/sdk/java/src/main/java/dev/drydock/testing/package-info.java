/**
 * A server for tests of programs that use Drydock: the real client calls it over the loopback interface. Its messages are those of
 * {@code dev.drydock.internal.v1}, as the contract of the API has them.
 */
@NullMarked
package dev.drydock.testing;

import org.jspecify.annotations.NullMarked;
