/**
 * The part of the `Log` contract that is about appends that must happen once.
 *
 * A log either keeps the keys itself, or appends every repeat and says in each
 * record which one it is; `keepsKeys` says what is expected of the one under test.
 *
 * @module
 */
import { expect } from "bun:test";
import { Effect } from "effect";
import { Log, type Once, type Write } from "./log.ts";
import { at, bytes, type Check, freshTopic, packed, readAll, valuesOf } from "./log_contract_fixture.ts";
import { onceMarkOf } from "./once_header.ts";
import { headersOf, RecordWriter } from "./records.ts";

const once = (key: string, fingerprint = "f"): Once => ({ key, fingerprint, answer: `answer to ${key}` });

const marksOf = Effect.fnUntraced(function* (topic: string) {
  const reads = yield* readAll(at(topic));
  return reads.flatMap((read) => Array.from({ length: read.count }, (_, i) => onceMarkOf(read, i)));
});

/** Declares the tests. */
export function onceChecks(check: Check, { keepsKeys }: { readonly keepsKeys: boolean }): void {
  check("says whether it keeps keys", () =>
    Effect.gen(function* () {
      expect((yield* Log).keepsKeys).toBe(keepsKeys);
    }),
  );
  if (keepsKeys) keptChecks(check);
  else carriedChecks(check);
}

function keptChecks(check: Check): void {
  check("appends once per key, answers a repeat as the first time, refuses another content", () =>
    Effect.gen(function* () {
      const log = yield* Log;
      const topic = yield* freshTopic(1);
      const append = (values: readonly string[], key: Once) =>
        log.append([{ topic, partition: 0, records: packed(values) }], key);
      const receipt = yield* append(["a", "b"], once(topic));
      expect(receipt).toMatchObject({ repeated: false, appended: [{ count: 2 }] });
      expect(yield* append(["a", "b"], once(topic))).toEqual({ ...receipt, repeated: true });
      expect(yield* Effect.flip(append(["c"], once(topic, "other")))).toMatchObject({ _tag: "KeyReused", key: topic });
      expect(valuesOf(yield* log.read(at(topic)))).toEqual(["a", "b"]);
      expect(yield* marksOf(topic)).toEqual([undefined, undefined]);
    }),
  );
}

function carriedChecks(check: Check): void {
  check("appends a repeat, too, and says in every record which one it is", () =>
    Effect.gen(function* () {
      const log = yield* Log;
      const topic = yield* freshTopic(2);
      const writes: readonly Write[] = [
        { topic, partition: 0, records: packed(["a", "b"]), indexes: [0, 3] },
        { topic, partition: 1, records: packed(["c"]) },
      ];
      for (const _ of ["first", "again"]) {
        const receipt = yield* log.append(writes, once("secret"));
        expect(receipt).toMatchObject({ repeated: false, appended: [{ count: 2 }, { count: 1 }] });
      }
      yield* log.append([writes[0]!], once("secret", "other content"));
      yield* log.append([writes[0]!], once("another"));
      yield* log.append([writes[0]!]);
      const marks = yield* marksOf(topic);
      expect(marks.map((mark) => mark?.index)).toEqual([0, 3, 0, 3, 0, 3, 0, 3, undefined, undefined]);
      expect(marks.slice(2, 4)).toEqual(marks.slice(0, 2));
      const [first, , , , other, , another] = marks;
      expect(other).toMatchObject({ key: first!.key });
      expect(other!.fingerprint).not.toBe(first!.fingerprint);
      expect(another!.key).not.toBe(first!.key);
      const [read] = yield* readAll(at(topic));
      expect(JSON.stringify(headersOf(read!, 0))).not.toContain("secret");
    }),
  );

  check("leaves a record's own headers beside it", () =>
    Effect.gen(function* () {
      const log = yield* Log;
      const topic = yield* freshTopic(1);
      const records = new RecordWriter();
      records.add({ key: null, value: bytes("v"), timestampMs: 1, headers: { own: "1" } });
      yield* log.append([{ topic, partition: 0, records }], once("k"));
      const [read] = yield* readAll(at(topic));
      expect(headersOf(read!, 0)).toMatchObject({ own: "1" });
      expect(onceMarkOf(read!, 0)).toMatchObject({ index: 0 });
    }),
  );
}
