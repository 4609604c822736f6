package dev.drydock;

/**
 * A field of a request that is wrong.
 *
 * @param field the name of the field, such as {@code limits.processes}
 * @param description what is wrong with it
 */
public record FieldViolation(String field, String description) {}
