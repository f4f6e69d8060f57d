/**
 * Check: is what a model holds what its SELECT says, computed at once over the same rows?
 *
 *   barrier: snapshots of the model's table and of the sources behind it
 *     sources ──every SELECT on the way, as written──▶ batch ─┐
 *     model's table ──its view──────────────────────▶ live ──┴─▶ differences by key
 *
 * The recomputation goes down to the sources, so it judges the whole way, not
 * the last step. Exact columns must be equal; approximate ones (sums of Floats,
 * sampling quantiles) may differ by the tolerance, where they are numbers; ordered
 * ones, which take one of several equals, are not compared. Look-ups are made again
 * with the dimension as it is now.
 *
 * @module
 */
import { type LogFailed, Warehouse, type WarehouseFailed } from "@weir/connectors";
import { identifier, type Model, stateTable } from "@weir/sql";
import { Data, Effect } from "effect";
import { stillHeld } from "../hold.ts";
import { atRest, type OwnerNeeds, type Owners } from "../owners.ts";
import { NUMBERS } from "../read_settings.ts";
import { onEachShard } from "../shards.ts";
import { CHUNK_ROWS, dropSnapshot, takeSnapshot } from "./backfill.ts";
import { held, type Kept, sourcesBehind } from "./in_force.ts";

/** By how much of the larger value two approximate values may differ. */
export const TOLERANCE = 1e-9;
/** Differences that a report spells out. */
export const DIFFERENCES_SHOWN_MAX = 20;

/** One group or row that differs; a side without it is null. */
export interface Difference {
  readonly batch: unknown;
  readonly live: unknown;
}

/** What a check found. */
export interface CheckReport {
  readonly model: string;
  readonly rows: number;
  readonly differing: number;
  readonly differences: readonly Difference[];
  /** How exact each column is: `exact`, `ordered`, `approximate`. */
  readonly classes: Readonly<Record<string, string>>;
  readonly tolerance: number;
  readonly tookMs: number;
}

/** There is no such model to check. */
export class CannotCheck extends Data.TaggedError("CannotCheck")<{ readonly message: string; readonly hint: string }> {}

/** What a check looks at. */
interface Site {
  readonly owners: Owners;
  readonly kept: ReadonlyMap<string, Kept>;
}

/** Recomputes a model over the rows that it has seen and compares, group by group. */
export const check = Effect.fnUntraced(function* (
  site: Site,
  name: string,
): Effect.fn.Return<CheckReport, WarehouseFailed | LogFailed | CannotCheck, OwnerNeeds> {
  const found = held(site.kept, name, "model");
  if (found === undefined) {
    const models = [...site.kept.values()].flatMap(({ definition }) =>
      definition.kind === "model" ? [`${definition.layer}.${definition.name}`] : [],
    );
    const hint = models.length === 0 ? "Apply a model first." : `Name one of: ${models.join(", ")}.`;
    return yield* new CannotCheck({ message: `Cannot check '${name}': there is no such model.`, hint });
  }
  const { definition: model, version } = found;
  if (model.strategy === "refresh") {
    const hint = "Check what it reads; it is computed anew on its schedule.";
    return yield* new CannotCheck({ message: `Cannot check ${name}: it is refreshed as a whole.`, hint });
  }
  if (found.entry.state !== "active") {
    const hint = found.entry.state === "building" ? "Wait until it is built." : "Correct or resume it first.";
    return yield* new CannotCheck({ message: `Cannot check ${name}: it is ${found.entry.state}.`, hint });
  }
  const sources = sourcesBehind(site.kept, name);
  const suffix = `__check_${crypto.randomUUID().slice(0, 8)}`;
  const tables = [stateTable(model, version), ...sources.flatMap((source) => tableOfSource(site.kept, source))];
  const snapshots = new Map(tables.map((table) => [table, `${table}${suffix}`]));
  const taken = Effect.forEach(
    snapshots,
    ([table, snapshot]) => takeSnapshot(table, { snapshot, chunkRows: CHUNK_ROWS }),
    {
      discard: true,
    },
  );
  return yield* Effect.ensuring(
    // Snapshots of one moment, if nobody landed anything meanwhile.
    Effect.andThen(
      atRest(site.owners, sources, Effect.andThen(taken, stillHeld)),
      Effect.map(onEachShard(compare(site.kept, { model, version, snapshots })), together),
    ),
    Effect.ignore(Effect.forEach(snapshots.values(), dropSnapshot, { discard: true })),
  );
});

function tableOfSource(kept: ReadonlyMap<string, Kept>, name: string): readonly string[] {
  const found = held(kept, `ods.${name}`, "source");
  return found === undefined ? [] : [stateTable(found.definition, found.version)];
}

/** One report of what was found on each shard: views follow the rows of their own. */
function together(reports: readonly CheckReport[]): CheckReport {
  const sum = (of: (report: CheckReport) => number) => reports.reduce((all, report) => all + of(report), 0);
  return {
    ...reports[0],
    rows: sum(({ rows }) => rows),
    differing: sum(({ differing }) => differing),
    differences: reports.flatMap(({ differences }) => differences).slice(0, DIFFERENCES_SHOWN_MAX),
    tookMs: sum(({ tookMs }) => tookMs),
  };
}

/** The author's SELECT over the sources' snapshots: what it reads is recomputed too. */
function batchOf(kept: ReadonlyMap<string, Kept>, model: Model, snapshots: ReadonlyMap<string, string>): string {
  return model.batchSelect((name) => {
    const below = held(kept, name, "model");
    if (below !== undefined && below.definition.strategy !== "refresh")
      return `(${batchOf(kept, below.definition, snapshots)})`;
    const source = held(kept, name, "source");
    const table = source === undefined ? name : stateTable(source.definition, source.version);
    return snapshots.get(table) ?? name;
  });
}

interface Compared {
  readonly model: Model;
  readonly version: number;
  readonly snapshots: ReadonlyMap<string, string>;
}

const compare = Effect.fnUntraced(function* (
  kept: ReadonlyMap<string, Kept>,
  { model, version, snapshots }: Compared,
): Effect.fn.Return<CheckReport, WarehouseFailed, Warehouse> {
  const warehouse = yield* Warehouse;
  const startedMs = performance.now();
  const live = model.readSelect(snapshots.get(stateTable(model, version)) ?? "");
  const batch = batchOf(kept, model, snapshots);
  const settings = { ...NUMBERS, max_execution_time: 0, max_bytes_before_external_group_by: 2 ** 30 };
  const [{ rows }] = yield* warehouse.rows<{ rows: number }>(
    "admin",
    `SELECT count() AS rows FROM (${batch})`,
    settings,
  );
  const sql = differencesQuery(model, { batch, live });
  const counted = `SELECT count() AS differing FROM (${sql})`;
  const [{ differing }] = yield* warehouse.rows<{ differing: number }>("admin", counted, settings);
  const found =
    differing === 0
      ? []
      : yield* warehouse.rows<Difference>("admin", `${sql} LIMIT ${DIFFERENCES_SHOWN_MAX}`, {
          output_format_json_named_tuples_as_objects: 1,
        });
  return {
    model: `${model.layer}.${model.name}`,
    rows,
    differing,
    differences: found,
    classes: model.classes,
    tolerance: TOLERANCE,
    tookMs: Math.round(performance.now() - startedMs),
  };
});

/**
 * Rows `{batch, live}` that differ. Rows are matched by their exact columns, and counted: a table
 * may hold a row twice. The approximate ones of a match are compared one with the other.
 */
export function differencesQuery(
  model: Pick<Model, "columns" | "classes">,
  { batch, live }: { readonly batch: string; readonly live: string },
): string {
  const names = model.columns.map(({ name }) => name);
  const strict = names.filter((name) => (model.classes[name] ?? "exact") === "exact");
  const loose = model.columns.flatMap(({ name, type }) =>
    model.classes[name] === "approximate" && NUMBER.test(type) ? [name] : [],
  );
  const key = strict.map((name) => `toString(${identifier(name)})`);
  const row = `CAST(tuple(${names.map((name) => `toString(${identifier(name)})`).join(", ")}), ${tupleType(names)})`;
  const near = loose.map((name) => {
    const of = (side: number) => `sumIf(ifNull(toFloat64(${identifier(name)}), 0), _side = ${side})`;
    return `abs(${of(0)} - ${of(1)}) > ${TOLERANCE} * greatest(abs(${of(0)}), abs(${of(1)}))`;
  });
  const differs = ["countIf(_side = 0) != countIf(_side = 1)", ...near].join("\n    OR ");
  return `SELECT if(countIf(_side = 0) = 0, NULL, toJSONString(anyIf(${row}, _side = 0))) AS batch,
  if(countIf(_side = 1) = 0, NULL, toJSONString(anyIf(${row}, _side = 1))) AS live
FROM (
  SELECT 0 AS _side, * FROM (${batch})
  UNION ALL
  SELECT 1 AS _side, * FROM (${live})
)
GROUP BY ${key.length === 0 ? "tuple()" : key.join(", ")}
HAVING ${differs}`;
}

const NUMBER = /^(?:Nullable\()?(?:U?Int|B?Float|Decimal)/;

function tupleType(names: readonly string[]): string {
  return `'Tuple(${names.map((name) => `${identifier(name)} Nullable(String)`).join(", ")})'`;
}
