/**
 * A registry's answers: what becomes a schema, what is a verdict, and what only means that it is away.
 *
 * @module
 */
import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { Effect, Result } from "effect";
import { confluentRegistry, REGISTRY_LIMITS } from "./confluent_registry.ts";
import type { RegistryAnswer } from "./schema_registry.ts";
import { fakeRegistry } from "./schema_registry_fixture.ts";

const fake = fakeRegistry();
beforeEach(() => {
  fake.asked.length = 0;
  fake.schemas.clear();
  fake.subjects.clear();
  fake.fails = undefined;
});
afterAll(() => fake.stop());

/** What it says of schema 7, or why it is away. */
async function asked(url = fake.url): Promise<RegistryAnswer | string> {
  const registry = confluentRegistry({ url, answerMsMax: 200 });
  const result = await Effect.runPromise(Effect.result(registry.schema(7)));
  return Result.isSuccess(result) ? result.success : result.failure.message;
}

const refers = (schema: string, ...subjects: readonly string[]) => ({
  schema,
  references: subjects.map((subject) => ({ name: subject, subject, version: 1 })),
});

describe("confluentRegistry()", () => {
  test("reads a schema; Avro needs no type", async () => {
    fake.schemas.set(7, { schema: '"string"' });
    expect(await asked(`${fake.url}/`)).toEqual({ kind: "schema", text: '"string"', references: [] });
    expect(fake.asked).toEqual(["/schemas/ids/7"]);
  });

  test("reads what it refers to once, and in front of what refers to it", async () => {
    fake.schemas.set(7, { ...refers("main", "a", "com.shop/b"), schemaType: "AVRO" });
    fake.subjects.set("a/1", refers("A", "com.shop/b"));
    fake.subjects.set("com.shop/b/1", refers("B", "a"));
    expect(await asked()).toEqual({ kind: "schema", text: "main", references: ["B", "A"] });
    expect(fake.asked).toEqual(["/schemas/ids/7", "/subjects/a/versions/1", "/subjects/com.shop%2Fb/versions/1"]);
  });

  test("says who asks", async () => {
    const login = { username: "weir", password: "päss:word" };
    await Effect.runPromise(confluentRegistry({ url: fake.url, login }).schema(7));
    expect(fake.authorization).toBe(`Basic ${Buffer.from("weir:päss:word").toString("base64")}`);
  });

  const { textCharsMax, answerBytesMax, referencesMax } = REGISTRY_LIMITS;
  const many = Array.from({ length: referencesMax + 1 }, (_, index) => `s${index}`);
  test.each<readonly [string, object | undefined, string | undefined]>([
    ["what it does not know", undefined, undefined],
    ["another type", { schema: "x", schemaType: "PROTOBUF" }, "is of the type 'PROTOBUF', not AVRO"],
    ["a text beyond its bound", { schema: "x".repeat(textCharsMax + 1) }, `has more than ${textCharsMax} characters`],
    ["an answer beyond its bound", { schema: "x".repeat(answerBytesMax) }, `has more than ${answerBytesMax} bytes`],
    ["a reference that is gone", refers("x", "gone"), "refers to 'gone' version 1, which the registry does not know"],
    ["a way out of its paths", refers("x", ".."), "refers to '..' version 1, which is no name of a subject"],
    ["too many references", refers("x", ...many), `refers to more than ${referencesMax} others`],
  ])("answers for %s with a verdict", async (_, schema, reason) => {
    if (schema !== undefined) fake.schemas.set(7, schema);
    for (const name of many) fake.subjects.set(`${name}/1`, { schema: "x" });
    const said = await asked();
    if (reason === undefined) expect(said).toEqual({ kind: "unknown" });
    else expect(said).toMatchObject({ kind: "refused", reason: expect.stringContaining(`schema 7 ${reason}`) });
  });

  test.each<readonly [string, () => Response | Promise<Response>, string]>([
    ["an error", () => new Response("oh", { status: 500 }), "it answers with status 500. Look whether"],
    ["a 404 of somebody else", () => new Response("<html>", { status: 404 }), "it answers with status 404."],
    ["a path that is none", () => Response.json({ error_code: 404 }, { status: 404 }), "it answers with status 404."],
    ["a refusal", () => new Response("", { status: 401 }), "it refuses to tell. Correct SCHEMA_REGISTRY_USERNAME"],
    ["a redirect", () => Response.redirect("http://127.0.0.1:1/", 302), "it answers with a redirect. Set"],
    ["no JSON", () => new Response("hello"), "what it answers is no schema. Look whether"],
    ["another JSON", () => Response.json({ references: [] }), "what it answers is no schema."],
    ["a long silence", () => Bun.sleep(2_000).then(() => new Response("")), "it did not answer within 200 ms."],
  ])("is away with %s, and names no host", async (_, fails, state) => {
    fake.fails = fails;
    const said = await asked();
    expect(said).toStartWith(`Cannot ask the schema registry for schema 7: ${state}`);
    expect(said).not.toContain("127.0.0.1");
    expect(fake.asked).toHaveLength(1);
  });

  test("is away when nobody is there", async () => {
    const said = await asked("http://127.0.0.1:1");
    expect(said).toBe(
      "Cannot ask the schema registry for schema 7: there is no connection to it (ECONNREFUSED). It is asked again.",
    );
  });
});
