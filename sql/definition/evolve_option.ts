/**
 * The options `drift: evolve` and `leave_out` of a source, and where they make no sense.
 *
 * Fields are added by the names that records give them, so records must name
 * them, and nothing else may be said of unknown ones.
 *
 * @module
 */
import { z } from "zod";
import { EVOLVE_LIMITS } from "../evolve/strangers.ts";
import { type Format, usesRegistry } from "../format/format.ts";
import type { Drift, UnknownFields } from "../source.ts";

const { columnsMax, nameCharsMax } = EVOLVE_LIMITS;

/** What front matter may say of records that do not fit. */
export const driftOption = z
  .enum(["quarantine", "stop", "evolve"])
  .default("quarantine")
  .describe(
    "A record that does not fit: keep it in the quarantine, stop its partition in front of it, or add the columns that it lacks.",
  );

/** What front matter may keep out. */
export const leaveOutOption = z
  .array(z.string().min(1).max(nameCharsMax))
  .max(columnsMax)
  .describe("Fields that `drift: evolve` does not add: records with them go to the quarantine.");

/** What is checked together. */
interface About {
  readonly drift: Drift;
  readonly leave_out?: readonly string[] | undefined;
  readonly unknown: UnknownFields;
  readonly format: Format;
  readonly columns: readonly { readonly name: string }[];
}

/** Formats whose records name their own fields; of the others, the definition names them, or a registry does. */
const NAMING: ReadonlySet<Format["kind"]> = new Set(["json", "debezium", "canal"]);

/** What is wrong with the options, at which one, and what to write instead; undefined if nothing is. */
export function evolveProblem({
  drift,
  leave_out,
  unknown,
  format,
  columns,
}: About): readonly [option: string, problem: string, hint: string] | undefined {
  if (drift !== "evolve") {
    if (leave_out === undefined) return undefined;
    const problem = "Cannot use leave_out here: no field is added where drift is not evolve.";
    return ["leave_out", problem, "Leave it out, or say `drift: evolve`."];
  }
  if (unknown !== "reject") {
    const problem = `Cannot use drift: evolve with unknown: ${unknown}: fields which no column declares would never be refused, so no column would ever be added.`;
    return ["drift", problem, "Leave `unknown` out, or say `drift: quarantine`."];
  }
  if (!NAMING.has(format.kind) && !usesRegistry(format)) {
    const problem = `Cannot use drift: evolve with records of ${format.kind}: they do not name their fields, the definition does.`;
    return ["drift", problem, "Say `drift: quarantine`; a new field is declared with its format and applied."];
  }
  const declared = leave_out?.find((name) => columns.some((column) => column.name === name));
  if (declared === undefined) return undefined;
  const problem = `Cannot leave out '${declared}': a column is named so.`;
  return ["leave_out", problem, "Take it out of leave_out, or drop the column."];
}
