/**
 * The root of the command tree, and what all commands are made of.
 *
 *   weir [--data DIR] ◀── every command's flags ──▶ Config ──▶ the command's work ──▶ exit status
 *
 * A command's work is a promise of its exit status: what it throws for people to
 * read ends with 1, everything else is a defect. Flags say nothing of defaults
 * beyond their text: `config.ts` knows the environment and checks values.
 *
 * @module
 */
import { Data, Effect, Option } from "effect";
import { Command, Flag } from "effect/cli";
import { type Config, type Flags, readConfig } from "../config.ts";

/** A command that ended with another status than 0, and has said why. */
export class Ended extends Data.TaggedError("Ended")<{ readonly status: number }> {}

/** What help says of a flag. */
interface About {
  readonly doc: string;
  /** What stands for its value: DIR. */
  readonly metavar: string;
}

/** A flag with a text; undefined if it is not said. */
export const textFlag = (name: string, { metavar, doc }: About): Flag.Flag<string | undefined> =>
  Flag.String(name).pipe(
    Flag.withMetavar(metavar),
    Flag.withDescription(doc),
    Flag.optional,
    Flag.map(Option.getOrUndefined),
  );

/** A flag with texts, one for each time that it is said, `min` of them at least. */
export const textsFlag = (name: string, { metavar, doc, min = 0 }: About & { readonly min?: number }) =>
  Flag.String(name).pipe(
    Flag.withMetavar(metavar),
    Flag.withDescription(`${doc}; may be said again`),
    Flag.atLeast(min),
  );

/** A flag that is said or not. */
export const switchFlag = (name: string, { doc }: Pick<About, "doc">): Flag.Flag<boolean> =>
  Flag.Boolean(name).pipe(Flag.withDescription(doc), Flag.withDefault(false), Flag.withoutNegation);

/** `--json`, wherever a script would read the answer. */
export const jsonFlag = switchFlag("json", { doc: "print JSON, for scripts" });
export const projectFlag = textFlag("project", {
  metavar: "DIR",
  doc: "folder of definitions (WEIR_PROJECT, this folder)",
});

/** The root command. Every command finds the door, or opens it, by its data directory. */
export const weir = Command.make("weir").pipe(
  Command.withSharedFlags({
    data: textFlag("data", { metavar: "DIR", doc: "data directory of the door (WEIR_DATA, .weir/data)" }),
  }),
);

/** Runs a command's work with the configuration of its flags. */
export const answering = Effect.fnUntraced(function* (flags: Flags, work: (config: Config) => Promise<number>) {
  const { data } = yield* weir;
  const status = yield* Effect.tryPromise({
    try: async () => work(readConfig({ dataDir: data, ...flags })),
    catch: (error) => error,
  });
  if (status !== 0) return yield* new Ended({ status });
});
