/**
 * Suspending: a model whose view fails for good is taken out of the cascade; its source goes on.
 *
 *   insert ──refused by a view──▶ view dropped ──▶ catalog rows `suspended`, also of what hangs below it ──▶ the insert is repeated
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
import { catalogVersion, type Entry, enter, type KeptEntry } from "./entries.ts";
import { dependentsOf, held, type Kept, keep, sourcesBehind } from "./in_force.ts";

const VIEW = /^weir_state\.(dwf|dws|dwa)__([a-z0-9_]+)__v(\d+)__fill$/;

/** What suspending changes. */
interface Site {
  readonly kept: Map<string, Kept>;
  readonly visible: Visible;
}

/** Takes a view that fails out of the cascade and says so in the catalog. */
export const suspendView = Effect.fnUntraced(
  function* ({ kept, visible }: Site, { view, reason }: { view: string; reason: string }) {
    const [, layer, name, version] = VIEW.exec(view) ?? [];
    if (name === undefined) return yield* new LandingDelayed({ message: `the view ${view} fails: ${reason}` });
    const { command } = yield* Warehouse;
    yield* command("admin", `DROP TABLE IF EXISTS ${view} SYNC`);
    const found = held(kept, `${layer}.${name}`, "model");
    // A version that is being replaced: nobody waits for its rows any more.
    if (found === undefined || found.version !== Number(version) || found.entry.state === "suspended") return;
    const at = positionOf(visible, sourcesBehind(kept, `${layer}.${name}`));
    const fallen = [found, ...fedBy(kept, `${layer}.${name}`)];
    const catalog = (yield* catalogVersion()) + 1;
    const entries = fallen.map(({ entry, definition }): Entry => {
      const note = definition === found.definition ? `${reason} ${at}` : `${layer}.${name} below it is suspended`;
      return { ...entry, catalog, state: "suspended", note };
    });
    yield* enter(entries);
    for (const [index, { definition }] of fallen.entries()) {
      const entry: KeptEntry = { ...entries[index], applied_at: new Date().toISOString() };
      kept.set(`${entry.layer}.${entry.name}`, keep(definition, entry));
    }
    yield* Effect.logWarning(`${layer}.${name} is suspended: ${reason} ${at}`);
  },
  Effect.catchTag("WarehouseFailed", ({ message }) => Effect.fail(new LandingDelayed({ message }))),
);

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
