/**
 * The actor runtime: order, timers, back-pressure, restarts, escalation, the registry's line.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import { Deferred, Effect, Exit, Fiber, Logger, Scope } from "effect";
import { TestClock } from "effect/testing";
import { type Behaviour, type Command, type Ref, spawn } from "./actor.ts";
import { Registry } from "./registry.ts";

type Act = Command<string, string>;

/** What happened to an actor of these tests, line by line. */
interface Stage {
  readonly seen: string[];
  readonly registry: Registry;
  readonly scope: Scope.Closeable;
  readonly ref: Ref<string>;
}

type Play = Partial<Behaviour<string, string, string, never>> & {
  /** What a message is answered with; nothing by default. */
  readonly answers?: Readonly<Record<string, readonly Act[]>>;
};

const act = (action: string): Act => ({ kind: "act", action });
const start = (action: string): Act => ({ kind: "start", action });
const after = (delayMs: number, message: string, timer = "t"): Act => ({ kind: "after", timer, delayMs, message });
const cancel: Act = { kind: "cancel", timer: "t" };
const stop: Act = { kind: "stop" };

const RESTART = { delayMsMin: 100, delayMsMax: 1_000, failuresMax: 3, windowMs: 60_000 };

/** Lets every fiber run that can. */
const settle = Effect.repeat(Effect.yieldNow, { times: 100 });

/** Starts an actor whose state is the last message and whose actions are only noted, unless `play` says otherwise. */
const stage = Effect.fnUntraced(function* ({ answers = {}, ...play }: Play) {
  const seen: string[] = [];
  const note = (line: string) => Effect.sync(() => void seen.push(line));
  const registry = new Registry();
  const scope = yield* Scope.make();
  const behaviour: Behaviour<string, string, string, never> = {
    kind: "test",
    mailboxMax: 2,
    restart: RESTART,
    init: () => Effect.as(note("init"), ["first", []] as const),
    step: (_, message) => {
      seen.push(`step ${message}`);
      return [message, answers[message] ?? []];
    },
    perform: (action) => note(`perform ${action}`),
    vitals: (state) => ({ state }),
    ...play,
  };
  const exceeded = (error: unknown) => note(`exceeded ${error}`);
  const ref = yield* Scope.provide(spawn(behaviour, { address: "test/1", registry, exceeded }), scope);
  yield* settle;
  const on: Stage = { seen, registry, scope, ref };
  return on;
});

const tellAll = ({ ref }: Stage, ...messages: string[]) =>
  Effect.andThen(
    Effect.forEach(messages, (message) => ref.tell(message)),
    settle,
  );

const run = <A, E>(program: Effect.Effect<A, E>) =>
  Effect.runPromise(program.pipe(Effect.provide(TestClock.layer()), Effect.provide(Logger.layer([]))));

describe("spawn(): one message after the other", () => {
  test.each<readonly [string, Readonly<Record<string, readonly Act[]>>, readonly string[], readonly string[]]>([
    ["begins with init", {}, [], ["init"]],
    ["steps in the order of the messages", {}, ["a", "b"], ["init", "step a", "step b"]],
    [
      "performs an answer before the next message",
      { a: [act("1"), act("2")] },
      ["a", "b"],
      ["init", "step a", "perform 1", "perform 2", "step b"],
    ],
    ["performs nothing behind a stop", { a: [act("1"), stop, act("2")] }, ["a"], ["init", "step a", "perform 1"]],
    ["takes no message after a stop", { a: [stop] }, ["a", "b"], ["init", "step a"]],
  ])("%s", (_, answers, messages, expected) =>
    run(
      Effect.gen(function* () {
        const on = yield* stage({ answers });
        yield* tellAll(on, ...messages);
        expect(on.seen).toEqual([...expected]);
      }),
    ),
  );

  test("performs what init wants before the first message", () =>
    run(
      Effect.gen(function* () {
        const on = yield* stage({
          init: (self) => Effect.as(self.tell("early"), ["first", [act("0")]] as const),
        });
        expect(on.seen).toEqual(["perform 0", "step early"]);
      }),
    ));

  test("passes the state on and the time in", () =>
    run(
      Effect.gen(function* () {
        const times: [string, string, number][] = [];
        const on = yield* stage({
          step: (state, message, nowMs) => {
            times.push([state, message, nowMs]);
            return [message, []];
          },
        });
        yield* tellAll(on, "a");
        yield* TestClock.adjust(70);
        yield* tellAll(on, "b");
        expect(times).toEqual([
          ["first", "a", 0],
          ["a", "b", 70],
        ]);
      }),
    ));

  test("performs `start` beside the mailbox", () =>
    run(
      Effect.gen(function* () {
        const gate = yield* Deferred.make<void>();
        const on: Stage = yield* stage({
          answers: { a: [start("slow")] },
          perform: (action, self) => Effect.andThen(Deferred.await(gate), self.tell(`done ${action}`)),
        });
        yield* tellAll(on, "a", "b");
        expect(on.seen).toEqual(["init", "step a", "step b"]);
        yield* Deferred.succeed(gate, undefined);
        yield* settle;
        expect(on.seen.at(-1)).toBe("step done slow");
      }),
    ));
});

describe("spawn(): timers", () => {
  test.each<
    readonly [string, Readonly<Record<string, readonly Act[]>>, readonly (string | number)[], readonly string[]]
  >([
    ["tell their message in time", { a: [after(50, "late")] }, ["a", 50], ["a", "late"]],
    ["do not tell it before", { a: [after(50, "late")] }, ["a", 49], ["a"]],
    ["tell it once", { a: [after(50, "late")] }, ["a", 500], ["a", "late"]],
    ["are wound up anew under the same name", { a: [after(50, "late")] }, ["a", 40, "a", 40], ["a", "a"]],
    [
      "then tell the last message",
      { a: [after(50, "one")], b: [after(50, "two")] },
      ["a", 40, "b", 50],
      ["a", "b", "two"],
    ],
    [
      "run beside each other under different names",
      { a: [after(50, "one"), after(20, "two", "u")] },
      ["a", 50],
      ["a", "two", "one"],
    ],
    ["are cancelled", { a: [after(50, "late")], b: [cancel] }, ["a", 10, "b", 100], ["a", "b"]],
    ["can be cancelled when there is none", { a: [cancel] }, ["a", 1], ["a"]],
    ["end with the actor", { a: [after(50, "late"), stop] }, ["a", 100], ["a"]],
  ])("%s", (_, answers, happens, expected) =>
    run(
      Effect.gen(function* () {
        const on = yield* stage({ answers });
        for (const what of happens) {
          if (typeof what === "string") yield* tellAll(on, what);
          else yield* Effect.andThen(TestClock.adjust(what), settle);
        }
        expect(on.seen.slice(1)).toEqual(expected.map((message) => `step ${message}`));
      }),
    ),
  );

  test("end with the incarnation", () =>
    run(
      Effect.gen(function* () {
        const on = yield* stage({
          answers: { a: [after(5_000, "late"), act("fail")] },
          perform: () => Effect.fail("broken"),
        });
        yield* tellAll(on, "a");
        yield* Effect.andThen(TestClock.adjust(10_000), settle);
        expect(on.seen).toEqual(["init", "step a", "init"]);
      }),
    ));
});

describe("spawn(): the mailbox", () => {
  /** An actor with room for two messages that hangs in its first one, and one teller too many. */
  const crowded = Effect.fnUntraced(function* (perform: Effect.Effect<void, unknown>) {
    const on: Stage = yield* stage({ answers: { a: [act("hang")] }, perform: () => perform });
    yield* tellAll(on, "a", "b", "c");
    const teller = yield* Effect.forkChild(on.ref.tell("d"));
    yield* settle;
    return { on, teller };
  });

  test("makes tellers wait while it is full", () =>
    run(
      Effect.gen(function* () {
        const gate = yield* Deferred.make<void>();
        const { on, teller } = yield* crowded(Deferred.await(gate));
        expect(teller.pollUnsafe()).toBeUndefined();
        expect(on.registry.reports()[0]).toMatchObject({ mailbox: 2, mailboxMax: 2 });
        yield* Deferred.succeed(gate, undefined);
        expect(yield* Fiber.join(teller)).toBe(true);
        yield* settle;
        expect(on.seen).toEqual(["init", "step a", "step b", "step c", "step d"]);
      }),
    ));

  test("tells whoever waits that the message is gone when the actor fails", () =>
    run(
      Effect.gen(function* () {
        const gate = yield* Deferred.make<void>();
        const { teller } = yield* crowded(Effect.andThen(Deferred.await(gate), Effect.fail("broken")));
        yield* Deferred.succeed(gate, undefined);
        expect(yield* Fiber.join(teller)).toBe(false);
      }),
    ));

  test("tells whoever waits that the message is gone when its scope closes", () =>
    run(
      Effect.gen(function* () {
        const { on, teller } = yield* crowded(Effect.never);
        yield* Scope.close(on.scope, Exit.void);
        expect(yield* Fiber.join(teller)).toBe(false);
      }),
    ));

  test("takes nothing while the actor waits to start again", () =>
    run(
      Effect.gen(function* () {
        const on = yield* stage({ answers: { a: [act("fail")] }, perform: () => Effect.fail("broken") });
        yield* tellAll(on, "a");
        expect(yield* on.ref.tell("b")).toBe(false);
        yield* Effect.andThen(TestClock.adjust(100), settle);
        expect(yield* on.ref.tell("c")).toBe(true);
        yield* settle;
        expect(on.seen).toEqual(["init", "step a", "init", "step c"]);
      }),
    ));

  test("takes nothing after a stop", () =>
    run(
      Effect.gen(function* () {
        const on = yield* stage({ answers: { a: [stop] } });
        yield* tellAll(on, "a");
        expect(yield* on.ref.tell("b")).toBe(false);
      }),
    ));
});

describe("spawn(): failures", () => {
  const broken = { perform: (action: string) => Effect.fail(new Error(`no ${action}`)) };
  test.each<readonly [string, Play]>([
    ["in an action", { ...broken, answers: { a: [act("1")] } }],
    ["beside the mailbox", { ...broken, answers: { a: [start("1")] } }],
    [
      "told from outside",
      { answers: { a: [act("1")] }, perform: (_, self) => Effect.andThen(self.fail(new Error("no 1")), Effect.never) },
    ],
    ["as a defect of an action", { answers: { a: [act("1")] }, perform: () => Effect.die(new Error("no 1")) }],
    [
      "as a defect of the step",
      {
        step: () => {
          throw new Error("no 1");
        },
      },
    ],
  ])("%s begin a new incarnation with an empty mailbox", (_, play) =>
    run(
      Effect.gen(function* () {
        let incarnations = 0;
        const counted = Effect.sync(() => {
          incarnations += 1;
        });
        const on = yield* stage({ ...play, init: () => Effect.as(counted, ["first", []] as const) });
        yield* tellAll(on, "a", "b");
        const [{ state, restarts, lastError }] = on.registry.reports();
        expect({ state, restarts, lastError }).toEqual({ state: "waiting", restarts: 1, lastError: "no 1" });
        yield* Effect.andThen(TestClock.adjust(100), settle);
        expect(incarnations).toBe(2);
        expect(on.seen.filter((line) => line === "step b").length).toBe(play.answers?.a[0].kind === "start" ? 1 : 0);
        expect(on.registry.reports()[0]).toMatchObject({ state: "first", mailbox: 0, restarts: 1, lastError: "no 1" });
      }),
    ),
  );

  test("close what the incarnation opened, last opened first, before the next one begins", () =>
    run(
      Effect.gen(function* () {
        const seen: string[] = [];
        const note = (line: string) => Effect.sync(() => void seen.push(line));
        const on = yield* stage({
          init: Effect.fnUntraced(function* () {
            yield* note("open");
            yield* Effect.addFinalizer(() => note("closed one"));
            yield* Effect.addFinalizer(() => note("closed two"));
            return ["first", []];
          }),
          answers: { a: [start("hangs")], b: [act("fails")] },
          perform: (action) =>
            action === "fails" ? Effect.fail("broken") : Effect.onInterrupt(Effect.never, () => note("interrupted")),
        });
        yield* tellAll(on, "a");
        yield* tellAll(on, "b");
        yield* Effect.andThen(TestClock.adjust(100), settle);
        expect(seen).toEqual(["open", "interrupted", "closed two", "closed one", "open"]);
      }),
    ));

  test("of init count as well, and are handed on when they are too many", () =>
    run(
      Effect.gen(function* () {
        const on: Stage = yield* stage({ init: () => Effect.fail("no init") });
        for (let pause = 100; pause <= 400; pause *= 2) {
          expect(on.registry.reports()[0]).toMatchObject({ state: "waiting" });
          yield* Effect.andThen(TestClock.adjust(pause), settle);
        }
        expect(on.seen).toEqual(["exceeded no init"]);
        expect(on.registry.reports()[0]).toMatchObject({ state: "failed", restarts: 3, lastError: "no init" });
        yield* Effect.andThen(TestClock.adjust(1_000_000), settle);
        expect(on.seen).toEqual(["exceeded no init"]);
      }),
    ));

  test("are the parent's at once under ESCALATE's policy", () =>
    run(
      Effect.gen(function* () {
        const on = yield* stage({ ...broken, answers: { a: [act("1")] }, restart: { ...RESTART, failuresMax: 0 } });
        yield* tellAll(on, "a");
        expect(on.seen).toEqual(["init", "step a", "exceeded Error: no 1"]);
      }),
    ));
});

describe("spawn(): the registry", () => {
  test("has a line from start to end", () =>
    run(
      Effect.gen(function* () {
        const gate = yield* Deferred.make<void>();
        const on: Stage = yield* stage({
          answers: { a: [stop] },
          init: () => Effect.as(Deferred.await(gate), ["first", []] as const),
        });
        const line = { address: "test/1", kind: "test", mailbox: 0, mailboxMax: 2, restarts: 0, lastError: undefined };
        expect(on.registry.reports()).toEqual([{ ...line, state: "starting" }]);
        yield* Effect.andThen(Deferred.succeed(gate, undefined), settle);
        expect(on.registry.reports()).toEqual([{ ...line, state: "first" }]);
        yield* tellAll(on, "b");
        expect(on.registry.reports()).toEqual([{ ...line, state: "b" }]);
        yield* tellAll(on, "a");
        expect(on.registry.reports()).toEqual([{ ...line, state: "stopped" }]);
        yield* Scope.close(on.scope, Exit.void);
        expect(on.registry.reports()).toEqual([]);
      }),
    ));

  test("loses the line when the scope closes around a running actor", () =>
    run(
      Effect.gen(function* () {
        let closed = false;
        const close = Effect.addFinalizer(() =>
          Effect.sync(() => {
            closed = true;
          }),
        );
        const on: Stage = yield* stage({ init: () => Effect.as(close, ["first", []] as const) });
        yield* Scope.close(on.scope, Exit.void);
        expect(on.registry.reports()).toEqual([]);
        expect(closed).toBe(true);
        expect(yield* on.ref.tell("a")).toBe(false);
      }),
    ));
});
