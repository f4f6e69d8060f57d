/**
 * The order of models: each after those that it reads.
 *
 * @module
 */
import { type ModelDraft, modelError } from "../definition/model_definition.ts";
import { findTables } from "./tables.ts";

/** Sorts drafts so that each follows what it reads; throws at a circle, naming it. */
export function orderModels(drafts: readonly ModelDraft[]): ModelDraft[] {
  const byName = new Map(drafts.map((draft) => [nameOf(draft), draft]));
  const ordered: ModelDraft[] = [];
  const done = new Set<string>();
  const visit = (draft: ModelDraft, path: readonly string[]) => {
    const name = nameOf(draft);
    if (done.has(name)) return;
    for (const read of draft.reads) {
      const next = byName.get(read);
      if (next === undefined) continue;
      const circle = [...path, name];
      if (circle.includes(read)) throw circular(draft, [...circle.slice(circle.indexOf(read)), read]);
      visit(next, circle);
    }
    done.add(name);
    ordered.push(draft);
  };
  for (const draft of drafts) visit(draft, []);
  return ordered;
}

function circular(draft: ModelDraft, circle: readonly string[]) {
  const at = findTables(draft.tokens).find((table) => table.name === circle.at(-1));
  const problem =
    circle.length === 2 ? "it reads itself" : `models read one another in a circle: ${circle.join(" reads ")}`;
  return modelError(draft, at, problem, "Make one of them read what the other is made of.");
}

const nameOf = (draft: ModelDraft) => `${draft.layer}.${draft.name}`;
