/**
 * sql: the shapes. Definitions in, statements out; no IO.
 *
 * @module
 */
export * from "./source.ts";
