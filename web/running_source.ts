/**
 * A source by its name, for administrators: everybody else is not told which ones there are.
 *
 *   name of a path ──▶ running source, or a refusal that names the known ones
 *
 * @module
 */
import type { RunningSource } from "@weir/actors";
import type { Door } from "./door.ts";
import { Refusal } from "./errors.ts";

/** Names that a refusal lists. */
const NAMES_MAX = 20;

/** The running source of that name; refuses with 404 to do what `doing` says with an unknown one. */
export function runningSource({ sources }: Door, name: string, doing: string): RunningSource {
  const running = sources.get(name);
  if (running !== undefined) return running;
  const known = sources.all().map(({ applied }) => applied.source.name);
  const hint = known.length === 0 ? "Apply a source first." : `Known sources: ${known.slice(0, NAMES_MAX).join(", ")}.`;
  throw new Refusal(404, "unknown_source", `Cannot ${doing} '${name.slice(0, 100)}': there is no such source.`, hint);
}
