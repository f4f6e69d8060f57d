/**
 * Commands over definitions: init, plan, apply, pull, check, resume.
 *
 * @module
 */
import { Argument, Command } from "effect/cli";
import { type ApplyHow, apply, check, pull, resume } from "./apply.ts";
import { init } from "./init.ts";
import { answering, jsonFlag, projectFlag, switchFlag } from "./root.ts";

const model = Argument.String("model").pipe(Argument.withDescription("its name with its layer: dwa.sales_day"));
const changing = {
  project: projectFlag,
  json: jsonFlag,
  explain: switchFlag("explain", { doc: "say why each model is kept as it is" }),
  force: switchFlag("force", { doc: "overwrite what others changed since this folder's last pull or apply" }),
};
const PLANS: Pick<ApplyHow, "dryRun" | "allowDestructive"> = { dryRun: true, allowDestructive: false };

const dir = Argument.String("dir").pipe(Argument.withDescription("folder to make, or one that is empty"));

/** `weir init`. */
export const initCommand = Command.make("init", { dir }, (asked) => answering({}, async () => init(asked))).pipe(
  Command.withDescription("Make a small project that works at once: a source, a model, an API, their test"),
  Command.withExamples([{ command: "weir init shop" }]),
);

/** `weir plan`. */
export const planCommand = Command.make("plan", changing, ({ project, json, explain, force }) =>
  answering({ projectDir: project }, (config) =>
    apply(config, { ...PLANS, isForced: force, isExplained: explain, isJson: json }),
  ),
).pipe(
  Command.withDescription("Say what applying a project would change; changes nothing"),
  Command.withExamples([{ command: "weir plan --project shop --explain" }]),
);

const destructive = switchFlag("allow-destructive", { doc: "also apply what loses stored values" });

/** `weir apply`. */
export const applyCommand = Command.make(
  "apply",
  { ...changing, allowDestructive: destructive },
  ({ project, json, explain, force, allowDestructive }) =>
    answering({ projectDir: project }, (config) =>
      apply(config, { dryRun: false, allowDestructive, isForced: force, isExplained: explain, isJson: json }),
    ),
).pipe(
  Command.withDescription("Apply a project to a running door: create beside, backfill, exchange"),
  Command.withExamples([{ command: "weir apply --project shop" }]),
);

/** `weir pull`. */
export const pullCommand = Command.make("pull", { project: projectFlag }, ({ project }) =>
  answering({ projectDir: project }, pull),
).pipe(
  Command.withDescription("Write what is in force into a project's folder"),
  Command.withExamples([{ command: "weir pull --project shop" }]),
);

/** `weir check`. */
export const checkCommand = Command.make("check", { model, json: jsonFlag }, ({ model: name, json }) =>
  answering({}, (config) => check(config, { name, isJson: json })),
).pipe(
  Command.withDescription("Recompute a model over its sources and compare; ends with 1 if anything differs"),
  Command.withExamples([{ command: "weir check dwa.sales_day" }]),
);

/** `weir resume`. */
export const resumeCommand = Command.make("resume", { model, json: jsonFlag }, ({ model: name, json }) =>
  answering({}, (config) => resume(config, { name, isJson: json })),
).pipe(
  Command.withDescription("Make a suspended model anew from all rows"),
  Command.withExamples([{ command: "weir resume dwf.flight" }]),
);
