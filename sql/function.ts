/**
 * An SQL function: an expression with a name, usable in every definition.
 *
 *   functions/delay_class.sql ──▶ SqlFunction ──createFunction──▶ the engine writes it out wherever it is called
 *
 * The engine replaces a call by the expression when a view is made, so a changed function
 * changes only what is made afterwards: who uses it has to be applied again.
 *
 * @module
 */
import { identifier } from "./definition/tokens.ts";

/** A definition of kind `function`, checked. */
export interface SqlFunction {
  readonly kind: "function";
  readonly name: string;
  readonly doc: string;
  readonly parameters: readonly string[];
  /** The expression as the author wrote it. */
  readonly body: string;
}

/** Creates or replaces the function. */
export function createFunction({ name, parameters, body }: Pick<SqlFunction, "name" | "parameters" | "body">): string {
  return `CREATE OR REPLACE FUNCTION ${identifier(name)} AS (${parameters.map(identifier).join(", ")}) ->\n${body}`;
}

/** Drops the function. */
export function dropFunction({ name }: Pick<SqlFunction, "name">): string {
  return `DROP FUNCTION IF EXISTS ${identifier(name)}`;
}
