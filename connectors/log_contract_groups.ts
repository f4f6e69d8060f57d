/**
 * The contract of the port `Log`, second part: consumer groups, generations, commits.
 *
 *   join ──▶ assigned(generation) ──▶ commit … revoked ──▶ released; an older generation is fenced
 *
 * @module
 */
import { expect } from "bun:test";
import { Effect, Exit, Queue, Scope } from "effect";
import { Log } from "./log.ts";
import { assigned, type Check, freshName, freshTopic, until } from "./log_contract_fixture.ts";

/** What every implementation must hold of its groups. */
export function groupChecks(check: Check): void {
  check("keeps commits with metadata for whoever owns the partitions", () =>
    Effect.gen(function* () {
      const log = yield* Log;
      const topic = yield* freshTopic(2);
      const group = freshName();
      const member = yield* log.join(group, topic);
      const { generation, partitions } = yield* assigned(member);
      expect(partitions.toSorted()).toEqual([0, 1]);
      expect(yield* log.committed({ group, topic })).toEqual([]);
      const metadata = `${"é".repeat(2_000)}{}`;
      const answers = yield* log.commit({ group, topic, generation }, [
        { partition: 1, offset: 7, metadata },
        { partition: 0, offset: 0, metadata: "é".repeat(2_049) },
      ]);
      expect(answers).toContainEqual({ partition: 1, error: undefined });
      expect(answers).toContainEqual({ partition: 0, error: "metadata too large" });
      expect(yield* log.committed({ group, topic })).toEqual([{ partition: 1, offset: 7, metadata }]);
      expect(yield* log.committed({ group: freshName(), topic })).toEqual([]);
      const refused = yield* log.commit({ group, topic, generation }, [{ partition: 5, offset: 1, metadata: "" }]);
      expect(refused).toEqual([{ partition: 5, error: "not owned" }]);
      const other = yield* log.commit({ group, topic, generation: generation - 1 }, [
        { partition: 1, offset: 3, metadata: "" },
      ]);
      expect(other).toEqual([{ partition: 1, error: "fenced" }]);
      expect(yield* log.committed({ group, topic })).toEqual([{ partition: 1, offset: 7, metadata }]);
    }),
  );

  check("raises the generation at every join and fences the older one", () =>
    Effect.gen(function* () {
      const log = yield* Log;
      const topic = yield* freshTopic(1);
      const group = freshName();
      let before = -1;
      for (let round = 0; round < 3; round++) {
        const scope = yield* Scope.make();
        const { generation } = yield* assigned(yield* Scope.provide(log.join(group, topic), scope));
        expect(generation).toBeGreaterThan(before);
        const commits = [{ partition: 0, offset: round, metadata: `${round}` }];
        if (round > 0) {
          const late = yield* log.commit({ group, topic, generation: before }, commits);
          expect(late).toEqual([{ partition: 0, error: "fenced" }]);
          expect(yield* log.committed({ group, topic })).toEqual([
            { partition: 0, offset: round - 1, metadata: `${round - 1}` },
          ]);
        }
        yield* log.commit({ group, topic, generation }, commits);
        yield* Scope.close(scope, Exit.void);
        before = generation;
      }
    }),
  );

  check("moves partitions between members without one owned twice", () =>
    Effect.gen(function* () {
      const log = yield* Log;
      const topic = yield* freshTopic(4);
      const group = freshName();
      const first = yield* log.join(group, topic);
      const { generation } = yield* assigned(first);
      const second = yield* log.join(group, topic);
      const revoked = yield* Queue.take(first.events);
      expect(revoked).toMatchObject({ kind: "revoked", generation });
      const lastWord = { partition: revoked.partitions[0], offset: 9, metadata: "done" };
      expect((yield* log.commit({ group, topic, generation }, [lastWord]))[0].error).toBeUndefined();
      yield* first.released(revoked.partitions);
      const { generation: newer } = yield* assigned(second);
      expect(newer).toBeGreaterThan(generation);
      expect(yield* log.committed({ group, topic })).toEqual([lastWord]);
      expect((yield* log.commit({ group, topic, generation }, [lastWord]))[0].error).toBe("fenced");
    }),
  );

  check("gives everything to an exclusive member until it leaves, whoever else comes", () =>
    Effect.gen(function* () {
      const log = yield* Log;
      const topic = yield* freshTopic(2);
      const group = freshName();
      const of = { group, topic };
      const owner = yield* log.join(group, topic);
      const { generation } = yield* assigned(owner);
      const scope = yield* Scope.make();
      const holder = yield* Scope.provide(log.join(group, topic, { exclusive: true }), scope);
      const revoked = yield* Queue.take(owner.events);
      expect(revoked).toMatchObject({ kind: "revoked", generation });
      expect(holder.heldUntilMs()).toBe(Number.NEGATIVE_INFINITY);
      yield* owner.released(revoked.partitions);
      expect((yield* assigned(holder)).partitions.toSorted()).toEqual([0, 1]);
      expect(holder.heldUntilMs()).toBeGreaterThan(Date.now());
      const later = yield* log.join(group, topic);
      const second = yield* Effect.scoped(
        Effect.gen(function* () {
          const waiting = yield* log.join(group, topic, { exclusive: true });
          yield* until(log.members(of), (members) => members.some(({ partitions }) => partitions.length === 2));
          return waiting.heldUntilMs();
        }),
      );
      expect(second).toBe(Number.NEGATIVE_INFINITY);
      expect(yield* Queue.size(holder.events)).toBe(0);
      yield* log.alterTopic({ name: topic, partitions: 3, retention: {} });
      expect(yield* Queue.take(holder.events)).toMatchObject({ kind: "assigned", partitions: [0, 1, 2] });
      yield* Scope.close(scope, Exit.void);
      const [one] = yield* Effect.raceAll([owner, later].map((member) => Effect.map(assigned(member), Array.of)));
      expect(one!.generation).toBeGreaterThan(generation);
    }),
  );

  check("tells members of added partitions", () =>
    Effect.gen(function* () {
      const log = yield* Log;
      const name = yield* freshTopic(1);
      const member = yield* log.join(freshName(), name);
      expect((yield* assigned(member)).partitions).toEqual([0]);
      yield* log.alterTopic({ name, partitions: 3, retention: {} });
      const more = yield* assigned(member);
      expect(more.partitions.toSorted()).toEqual([0, 1, 2]);
    }),
  );

  check("fences who owned a topic that was created anew, before its group has noticed", () =>
    Effect.gen(function* () {
      const log = yield* Log;
      const name = yield* freshTopic(1);
      const group = freshName();
      const of = { group, topic: name };
      const member = yield* log.join(group, name);
      const { generation } = yield* assigned(member);
      yield* log.deleteTopic(name);
      yield* log.createTopic({ name, partitions: 1, retention: {} });
      const late = yield* log.commit({ ...of, generation }, [{ partition: 0, offset: 1, metadata: "" }]);
      expect(late).toEqual([{ partition: 0, error: "fenced" }]);
      const again = yield* assigned(member);
      const commit = { partition: 0, offset: 1, metadata: "" };
      expect(yield* log.commit({ ...of, generation: again.generation }, [commit])).toEqual([
        { partition: 0, error: undefined },
      ]);
      expect(yield* log.committed(of)).toEqual([commit]);
    }),
  );

  check("forgets a group's commits with its topic", () =>
    Effect.gen(function* () {
      const log = yield* Log;
      const name = yield* freshTopic(1);
      const group = freshName();
      const { generation } = yield* assigned(yield* log.join(group, name));
      yield* log.commit({ group, topic: name, generation }, [{ partition: 0, offset: 1, metadata: "" }]);
      yield* log.deleteTopic(name);
      yield* log.createTopic({ name, partitions: 1, retention: {} });
      expect(yield* log.committed({ group, topic: name })).toEqual([]);
    }),
  );
}
