/**
 * Tests of `definitions.ts` through the door.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import type { Applied } from "@weir/actors";
import { type Change, DefinitionError } from "@weir/sql";
import { DEFINITION_LIMITS } from "./definitions.ts";
import { FLIGHT, FLIGHT_KEPT, fakeDoor, Script } from "./door_fixture.ts";

const FILES = [{ path: "ods/flight.sql", text: "CREATE TABLE …" }];
const definition = FLIGHT.applied.source;

const apply = (script: Script, body: unknown, init: RequestInit = {}) =>
  fakeDoor(script).ask("/v1/admin/definitions", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: typeof body === "string" ? body : JSON.stringify(body),
    ...init,
  });

const bodyOf = async (answer: Response) => (await answer.json()) as Record<string, unknown>;

describe("/v1/admin/definitions", () => {
  const create: Change = { kind: "create", definition, version: 1, notes: ["creates ods.flight"] };
  const rebuild: Change = {
    kind: "rebuild",
    definition,
    version: 4,
    isDestructive: true,
    notes: ["drops x"],
  };
  const refuse: Change = { kind: "refuse", definition, reason: "it has no key", hint: "Add one." };

  const applied = (changes: readonly Change[], done: boolean): Applied => ({
    changes: changes.map((change) => ({ change, dependents: ["dwf.flight"] })),
    errors: [],
    conflicts: [],
    catalog: 8,
    done,
  });

  test("lists what is in force", async () => {
    const script = new Script();
    script.kept = [FLIGHT_KEPT];
    const { definitions } = await bodyOf(await fakeDoor(script).ask("/v1/admin/definitions"));
    expect(definitions).toMatchObject([
      {
        kind: "source",
        layer: "ods",
        name: "flight",
        doc: "Flights.",
        version: 3,
        catalog: 7,
        key: "flight_id",
        event_time: null,
      },
    ]);
  });

  test("applies files in the caller's name", async () => {
    const script = Object.assign(new Script(), { applied: applied([create], true) });
    const answer = await apply(script, { files: FILES });
    expect([answer.status, await bodyOf(answer)]).toEqual([
      200,
      {
        changes: [
          {
            kind: "create",
            name: "ods.flight",
            version: 1,
            destructive: false,
            notes: ["creates ods.flight"],
            dependents: ["dwf.flight"],
          },
        ],
        errors: [],
        conflicts: [],
        catalog: 8,
        done: true,
      },
    ]);
    expect(script.applies).toEqual([
      { files: FILES, options: { author: "admin", dryRun: false, allowDestructive: false } },
    ]);
  });

  test.each([
    ["a destructive change", [rebuild], {}, 409, "destructive"],
    ["a refused change", [refuse], {}, 409, "change_refused"],
    ["a dry run of a destructive change", [rebuild], { dry_run: true }, 200, undefined],
    ["a dry run of a refused change", [refuse], { dry_run: true }, 200, undefined],
  ] as const)("answers %s", async (_, changes, how, status, code) => {
    const script = Object.assign(new Script(), { applied: applied(changes, false) });
    const answer = await apply(script, { files: FILES, ...how });
    const { error, changes: shown, done } = await bodyOf(answer);
    expect([answer.status, (error as { code: string } | undefined)?.code, done]).toEqual([status, code, false]);
    expect(shown).toMatchObject([{ kind: changes[0].kind, name: "ods.flight" }]);
  });

  test.each([true, false])("answers what is wrong with a definition and where (dry run: %s)", async (dryRun) => {
    const wrong = new DefinitionError(
      { file: "ods/flight.sql", line: 3, column: 5 },
      "Cannot use the type.",
      "Use another.",
    );
    const script = Object.assign(new Script(), { applied: { ...applied([], false), errors: [wrong] } });
    const answer = await apply(script, { files: FILES, dry_run: dryRun });
    expect([answer.status, await bodyOf(answer)]).toMatchObject([
      422,
      {
        error: { code: "definition_invalid", at: { file: "ods/flight.sql", line: 3, column: 5 } },
        errors: [{ file: "ods/flight.sql", line: 3, column: 5, message: "Cannot use the type.", hint: "Use another." }],
      },
    ]);
  });

  test.each([
    ["no JSON", "{", {}, 400, "not_json", null],
    [
      "text/plain, as a web page could send",
      { files: FILES },
      { headers: { "content-type": "text/plain" } },
      415,
      "unsupported_media_type",
      null,
    ],
    ["no files", { files: [] }, {}, 422, "invalid_body", "/files"],
    ["a file without text", { files: [{ path: "a.sql" }] }, {}, 422, "invalid_body", "/files/0/text"],
    ["an unknown field", { files: FILES, force: true }, {}, 422, "invalid_body", ""],
    ["__proto__", `{"files":[{"path":"a","text":"b"}],"__proto__":{"admin":true}}`, {}, 422, "invalid_body", ""],
    ["a body that is too large", "x".repeat(DEFINITION_LIMITS.bytesMax + 1), {}, 413, "body_too_large", null],
  ] as const)("refuses %s", async (_, body, init, status, code, at) => {
    const script = new Script();
    const answer = await apply(script, body, init);
    expect([answer.status, (await bodyOf(answer)).error]).toMatchObject([status, { code, at }]);
    expect(script.applies).toEqual([]);
  });
});
