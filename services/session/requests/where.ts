/** A condition of an SQL statement, whose `values` are its parameters from `$1` on. */
export type Where = { sql: string; values: unknown[] };
