/**
 * An actor: an address, a bounded mailbox, a pure `step`, and a shell that performs what `step` decides.
 *
 *   tell ──▶ mailbox ──▶ step(state, message, now) ──▶ state, commands ──▶ perform · timers · stop
 *
 *   starting ──init──▶ running ──failure──▶ waiting ──▶ starting        (supervision.ts)
 *                         └──stop──▶ stopped
 *
 * A command `act` is performed in the actor's own fiber, before the next
 * message; `start` is performed beside it and tells its result as a message.
 * Whatever fails ends the incarnation: its scope closes with all timers, side
 * fibers and children, and `init` begins anew with an empty mailbox. So an
 * action must be repeatable, and state that matters is kept outside.
 *
 * @module
 */
import { Cause, Clock, type Context, Deferred, Effect, Exit, Fiber, Queue, Random, Scope } from "effect";
import type { Registry, Report, Vitals } from "./registry.ts";
import { decide, type RestartPolicy } from "./supervision.ts";

/** What `step` wants done. */
export type Command<Message, Action> =
  | { readonly kind: "act"; readonly action: Action }
  | { readonly kind: "start"; readonly action: Action }
  | { readonly kind: "after"; readonly timer: string; readonly delayMs: number; readonly message: Message }
  | { readonly kind: "cancel"; readonly timer: string }
  | { readonly kind: "stop" };

/** The next state and what is to be done, in this order. */
export type Turn<State, Message, Action> = readonly [State, readonly Command<Message, Action>[]];

/** Where messages for an actor go; outlives its incarnations. */
export interface Ref<Message> {
  readonly address: string;
  /** Waits while the mailbox is full; false when the actor is not running: the message is gone. */
  readonly tell: (message: Message) => Effect.Effect<boolean>;
}

/** An actor as it sees itself: one incarnation. */
export interface Self<Message> extends Ref<Message> {
  /** Closes when this incarnation ends; children are started in it. */
  readonly scope: Scope.Scope;
  /** Ends this incarnation as a failure, from outside its own fiber. */
  readonly fail: (error: unknown) => Effect.Effect<void>;
}

/** Everything that makes a kind of actor. `R` is what its shell needs. */
export interface Behaviour<State, Message, Action, R> {
  readonly kind: string;
  /** Messages that wait at most; a full mailbox makes `tell` wait. */
  readonly mailboxMax: number;
  readonly restart: RestartPolicy;
  readonly init: (self: Self<Message>) => Effect.Effect<Turn<State, Message, Action>, unknown, R | Scope.Scope>;
  readonly step: (state: State, message: Message, nowMs: number) => Turn<State, Message, Action>;
  readonly perform: (action: Action, self: Self<Message>) => Effect.Effect<void, unknown, R>;
  readonly vitals: (state: State) => Vitals;
}

/** Where an actor is started: its place in the registry and who hears that it gave up. */
export interface Birth {
  readonly address: string;
  readonly registry: Registry;
  /** Hears the last error after the restarts are used up. */
  readonly exceeded: (error: unknown) => Effect.Effect<void>;
}

interface Life<State, Message> {
  mailbox: Queue.Queue<Message> | undefined;
  state: State | undefined;
  restarts: number;
  lastError: string | undefined;
  phase: "starting" | "running" | "waiting" | "stopped" | "failed";
}

/** Starts an actor in the current scope and returns where to send its messages. */
export const spawn = Effect.fnUntraced(function* <State, Message, Action, R>(
  behaviour: Behaviour<State, Message, Action, R>,
  birth: Birth,
): Effect.fn.Return<Ref<Message>, never, R | Scope.Scope> {
  const life: Life<State, Message> = {
    mailbox: undefined,
    state: undefined,
    restarts: 0,
    lastError: undefined,
    phase: "starting",
  };
  const report = (): Report => ({
    address: birth.address,
    kind: behaviour.kind,
    mailbox: life.mailbox === undefined ? 0 : Queue.sizeUnsafe(life.mailbox),
    mailboxMax: behaviour.mailboxMax,
    restarts: life.restarts,
    lastError: life.lastError,
    ...(life.phase === "running" && life.state !== undefined ? behaviour.vitals(life.state) : { state: life.phase }),
  });
  birth.registry.set(birth.address, report);
  const tell = (message: Message) =>
    Effect.suspend(() => (life.mailbox === undefined ? Effect.succeed(false) : Queue.offer(life.mailbox, message)));
  const scope = yield* Effect.scope;
  yield* Scope.addFinalizer(
    scope,
    Effect.sync(() => birth.registry.delete(birth.address, report)),
  );
  yield* Effect.forkIn(supervise(behaviour, { birth, life, tell }), scope);
  return { address: birth.address, tell };
});

/** Runs incarnation after incarnation until the actor stops or has failed too often. */
const supervise = Effect.fnUntraced(function* <State, Message, Action, R>(
  behaviour: Behaviour<State, Message, Action, R>,
  actor: { birth: Birth; life: Life<State, Message>; tell: Ref<Message>["tell"] },
) {
  const { birth, life } = actor;
  let failuresMs: readonly number[] = [];
  while (true) {
    life.phase = "starting";
    const exit = yield* Effect.exit(incarnation(behaviour, actor));
    life.mailbox = undefined;
    if (Exit.isSuccess(exit)) {
      life.phase = "stopped";
      return;
    }
    const error = Cause.squash(exit.cause);
    life.lastError = error instanceof Error ? error.message : String(error);
    const at = { nowMs: yield* Clock.currentTimeMillis, random: yield* Random.next };
    const decision = decide(behaviour.restart, failuresMs, at);
    failuresMs = decision.failuresMs;
    if (decision.next === "exceeded") {
      life.phase = "failed";
      return yield* birth.exceeded(error);
    }
    life.phase = "waiting";
    life.restarts += 1;
    yield* Effect.logWarning(`${birth.address} failed: ${life.lastError}. It starts again in ${decision.next} ms.`);
    yield* Effect.sleep(decision.next);
  }
});

/** One life: init, then message by message; ends with `stop` or with the first failure. */
const incarnation = <State, Message, Action, R>(
  behaviour: Behaviour<State, Message, Action, R>,
  actor: { birth: Birth; life: Life<State, Message>; tell: Ref<Message>["tell"] },
) =>
  Effect.scoped(
    Effect.gen(function* () {
      const { life } = actor;
      const scope = yield* Effect.scope;
      const context = (yield* Effect.context<R>()) as Context.Context<R>;
      const mailbox = yield* Queue.bounded<Message>(behaviour.mailboxMax);
      const failed = yield* Deferred.make<never, unknown>();
      const tell = (message: Message) => Queue.offer(mailbox, message);
      const fail = (error: unknown) => Effect.asVoid(Deferred.fail(failed, error));
      const self: Self<Message> = { address: actor.birth.address, tell, scope, fail };
      const timers = new Map<string, Fiber.Fiber<unknown, unknown>>();
      life.mailbox = mailbox;

      const run = Effect.fnUntraced(function* (commands: readonly Command<Message, Action>[]) {
        for (const command of commands) {
          switch (command.kind) {
            case "act":
              yield* behaviour.perform(command.action, self);
              break;
            case "start":
              yield* Effect.forkIn(
                Effect.catchCause(behaviour.perform(command.action, self), (cause) => fail(Cause.squash(cause))),
                scope,
              );
              break;
            case "after":
              yield* cancel(timers, command.timer);
              timers.set(
                command.timer,
                yield* Effect.forkIn(Effect.andThen(Effect.sleep(command.delayMs), tell(command.message)), scope),
              );
              break;
            case "cancel":
              yield* cancel(timers, command.timer);
              break;
            case "stop":
              return true;
          }
        }
        return false;
      });

      const live = Effect.gen(function* () {
        const [first, commands] = yield* behaviour.init(self);
        life.state = first;
        life.phase = "running";
        let stopped = yield* run(commands);
        while (!stopped) {
          const message = yield* Queue.take(mailbox);
          const [next, wanted] = behaviour.step(life.state as State, message, yield* Clock.currentTimeMillis);
          life.state = next;
          if (wanted.length > 0) stopped = yield* run(wanted);
        }
      });
      yield* Effect.raceFirst(live, Deferred.await(failed)).pipe(
        Effect.provideContext(context),
        // Whoever waits for room in this mailbox learns that the message is gone.
        Effect.ensuring(Queue.shutdown(mailbox)),
      );
    }),
  );

const cancel = (timers: Map<string, Fiber.Fiber<unknown, unknown>>, timer: string) =>
  Effect.suspend(() => {
    const fiber = timers.get(timer);
    timers.delete(timer);
    return fiber === undefined ? Effect.void : Fiber.interrupt(fiber);
  });
