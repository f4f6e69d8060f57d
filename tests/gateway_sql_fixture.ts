/**
 * Tables and tokens for attacks on SQL, beside those of the gateway's fixture.
 *
 *   dwf.number, dwf.other · dws.secret ◀── tokens with scopes for some of them
 *
 * @module
 */
import { createHash } from "node:crypto";
import type { World } from "./world.ts";

/** What only tokens for dws may read. */
export const SECRET = "canary-51c0de";

const VIEW = "DEFINER = CURRENT_USER SQL SECURITY DEFINER AS SELECT";
const COLUMNS = "number AS a, toString(number) AS version, [number] AS arr, map('k', number) AS m";

/** Makes views that read no table, and a function. */
export async function makeTables({ door }: World): Promise<void> {
  for (const sql of [
    `CREATE VIEW dwf.number ${VIEW} ${COLUMNS} FROM numbers(100)`,
    `CREATE VIEW dwf.other ${VIEW} number AS a FROM numbers(10)`,
    `CREATE VIEW dws.secret ${VIEW} '${SECRET}' AS text`,
    "CREATE FUNCTION delay_class AS (minutes) -> multiIf(minutes > 15, 'late', 'in time')",
    "CREATE FUNCTION each_of AS (f, xs) -> arrayMap(f, xs)",
  ]) {
    const exit = await door.run(door.warehouse.command("writer", sql));
    if (exit._tag === "Failure") throw new Error(`Cannot make a table: ${JSON.stringify(exit.cause)}`);
  }
}

/** Lets a token in whose text is also its name. */
export function addToken({ door }: World, token: string, scopes: readonly string[]): void {
  const hash = createHash("sha256").update(token).digest();
  door.tokens.add({ id: `token_${token}`, hash, caller: { id: `token_${token}`, name: token, scopes } });
}
