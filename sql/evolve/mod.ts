/**
 * evolve: what a source that says `drift: evolve` makes of fields which no column declares.
 *
 * @module
 */
export * from "./amended.ts";
export * from "./namesakes.ts";
export * from "./new_columns.ts";
export type { NewColumn, NewType } from "./strangers.ts";
