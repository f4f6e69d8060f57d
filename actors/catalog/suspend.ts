/**
 * Suspending: a model whose view fails for good is taken out of the cascade; its source goes on.
 *
 *   insert ──refused by a view──▶ catalog rows `suspended`, also of what hangs below it ──▶ view dropped ──▶ the insert is repeated
 *
 * The rows that a suspended model has stay readable, and stay as they are.
 * Resuming it, or applying a correction, makes it anew from all rows.
 *
 * @module
 */
import { Warehouse } from "@weir/connectors";
import type { Model } from "@weir/sql";
import { Effect } from "effect";
import { LandingDelayed } from "../landing.ts";
import type { Visible } from "../visible.ts";
import { type Entry, enter } from "./entries.ts";
import { dependentsOf, held, type Kept, sourcesBehind } from "./in_force.ts";
import { remember, type Site } from "./site.ts";

const VIEW = /^weir_state\.(dwf|dws|dwa)__([a-z0-9_]+)__v(\d+)__fill$/;

/** The model's version that a view fills; undefined for other views. */
export function modelOfView(view: string): { readonly name: string; readonly version: number } | undefined {
  const [, layer, name, version] = VIEW.exec(view) ?? [];
  return name === undefined ? undefined : { name: `${layer}.${name}`, version: Number(version) };
}

/** Takes a view that fails out of the cascade and says so in the catalog; that comes first: a view that is gone feeds nobody. */
export const suspendView = Effect.fnUntraced(
  function* (
    site: Pick<Site, "kept" | "writing"> & { readonly visible: Visible },
    { view, reason }: { view: string; reason: string },
  ) {
    const model = modelOfView(view);
    if (model === undefined) return yield* new LandingDelayed({ message: `the view ${view} fails: ${reason}` });
    const at = positionOf(site.visible, sourcesBehind(site.kept, model.name));
    yield* site.writing.withPermits(1)(suspendModel(site, { ...model, note: `${reason} ${at}` }));
    const { command } = yield* Warehouse;
    yield* command("admin", `DROP TABLE IF EXISTS ${view} SYNC`);
  },
  Effect.catchTag(["WarehouseFailed", "LogFailed"], ({ message }) => Effect.fail(new LandingDelayed({ message }))),
);

/**
 * Enters a model, and what hangs below it, as suspended. A version that is being replaced is not: nobody waits for
 * its rows any more, and if it comes back its missing view says enough.
 */
export const suspendModel = Effect.fnUntraced(function* (
  { kept }: Pick<Site, "kept">,
  { name, version, note }: { readonly name: string; readonly version: number; readonly note: string },
) {
  const found = held(kept, name, "model");
  if (found === undefined || found.version !== version || found.entry.state === "suspended") return;
  const fallen = [found, ...fedBy(kept, name)].map(({ entry, definition }) => {
    const why = definition === found.definition ? note : `${name} below it is suspended`;
    return { definition, entry: { ...entry, state: "suspended", note: why } satisfies Entry as Entry };
  });
  yield* enter(fallen.map(({ entry }) => entry));
  for (const { definition, entry } of fallen) remember({ kept }, definition, entry);
  yield* Effect.logWarning(`${name} is suspended: ${note}`);
});

/** Models whose rows come from `name` through views. */
function fedBy(kept: ReadonlyMap<string, Kept>, name: string): readonly Kept<Model>[] {
  const fed = new Set([name]);
  return dependentsOf(kept, name).flatMap((above) => {
    const model = held(kept, above, "model");
    if (model === undefined || model.entry.state === "suspended") return [];
    if (model.definition.feeds === undefined || !fed.has(model.definition.feeds)) return [];
    fed.add(above);
    return [model];
  });
}

/** How far the sources were landed before the batch that failed: `(at flight 0:120 1:98)`. */
function positionOf(visible: Visible, sources: readonly string[]): string {
  const places = sources.map((name) => {
    const at = [...visible.of(`ods.${name}`)].sort(([a], [b]) => a - b);
    return `${name} ${at.map(([partition, next]) => `${partition}:${next}`).join(" ")}`.trim();
  });
  return `(at ${places.join(", ")})`;
}
