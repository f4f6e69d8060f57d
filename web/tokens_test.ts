/**
 * Tests of `tokens.ts`: who is known, until when, and what no reading can bring back.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import { type Caller, hashOf, type KnownToken, mayDo, newToken, Tokens } from "./tokens.ts";

const NOW_MS = 1_800_000_000_000;

function known(token: string, more: Partial<KnownToken> = {}, caller: Partial<Caller> = {}): KnownToken {
  return {
    ...{ id: `id_${token}`, hash: hashOf(token), createdMs: NOW_MS },
    caller: { name: token, scopes: ["api:minutes", "ingest:*"], ...caller },
    ...more,
  };
}

function tokensOf(...all: readonly KnownToken[]): Tokens {
  const tokens = new Tokens();
  for (const one of all) tokens.add(one);
  return tokens;
}

const nameOf = (tokens: Tokens, token: string, nowMs = NOW_MS) => tokens.callerOf(`Bearer ${token}`, nowMs)?.name;

describe("mayDo()", () => {
  test.each([
    [["admin"], "anything:at.all", true],
    [["ingest:flight"], "ingest:flight", true],
    [["ingest:flight"], "ingest:flights", false],
    [["ingest:flight"], "api:flight", false],
    [["ingest:*"], "ingest:bird", true],
    [["ingest:*"], "api:bird", false],
    [["ingest:*"], "admin", false],
    [["api:*"], "api:minutes", true],
    [["api:*"], "api:*", true],
    [["api:minutes"], "api:*", false],
    [["api:*"], "ingest:flight", false],
    [["api:*", "ingest:*"], "sql:read", false],
    [["sql:read"], "admin", false],
    [[], "api:minutes", false],
  ])("%j for %s: %s", (scopes, scope, may) => expect(mayDo({ name: "", scopes }, scope)).toBe(may));
});

describe("callerOf()", () => {
  const tokens = tokensOf(known("one"), known("two"));

  test.each([
    ["Bearer one", "one"],
    ["bearer two", "two"],
    ["BEARER two", "two"],
    ["Bearer one ", undefined],
    ["Bearer  one", undefined],
    ["Bearer onex", undefined],
    ["Bearer on", undefined],
    ["Bearer o", undefined],
    ["Bearer ", undefined],
    ["Bearer", undefined],
    ["one", undefined],
    ["Basic one", undefined],
    [`Bearer ${"x".repeat(512)}`, undefined],
    [`Bearer ${"x".repeat(100_000)}`, undefined],
    ["Bearer öne", undefined],
    ["Bearer __proto__", undefined],
    ["", undefined],
    [undefined, undefined],
  ])("%p is %p", (header, name) => expect(tokens.callerOf(header, NOW_MS)?.name).toBe(name));

  test("knows nobody by a digest", () => {
    for (const form of ["hex", "base64url", "latin1"] as const) {
      expect(tokens.callerOf(`Bearer ${Buffer.from(hashOf("one")).toString(form)}`)).toBeUndefined();
    }
  });

  test("ends with the token's time, to the millisecond", () => {
    const short = tokensOf(known("short", { expiresMs: NOW_MS }));
    expect([nameOf(short, "short", NOW_MS - 1), nameOf(short, "short", NOW_MS)]).toEqual(["short", undefined]);
    expect([short.get("id_short", NOW_MS), short.list(NOW_MS)]).toEqual([undefined, []]);
  });
});

describe("revoke()", () => {
  test("is in force at once, and no later reading undoes it", () => {
    const tokens = tokensOf(known("one"), known("two"));
    tokens.revoke("id_one");
    tokens.add(known("one"));
    expect([nameOf(tokens, "one"), nameOf(tokens, "two")]).toEqual([undefined, "two"]);
    expect(tokens.list(NOW_MS).map(({ id }) => id)).toEqual(["id_two"]);
  });

  test("may come before the token itself is read", () => {
    const tokens = new Tokens();
    tokens.revoke("id_one");
    tokens.add(known("one"));
    expect(nameOf(tokens, "one")).toBeUndefined();
  });

  test("takes the token's origins along, unless another token allows them too", () => {
    const [a, b] = ["https://a.example", "https://b.example"];
    const tokens = tokensOf(known("one", {}, { origins: [a, b] }), known("two", {}, { origins: [b] }));
    tokens.revoke("id_one");
    expect([tokens.allowsOrigin(a), tokens.allowsOrigin(b)]).toEqual([false, true]);
    tokens.revoke("id_two");
    expect(tokens.allowsOrigin(b)).toBe(false);
  });
});

describe("add()", () => {
  test("of what is known changes nothing", () => {
    const tokens = tokensOf(known("one", {}, { origins: ["https://a.example"] }));
    tokens.add(known("one", {}, { scopes: ["admin"], origins: ["https://a.example"] }));
    expect(tokens.get("id_one", NOW_MS)?.caller.scopes).toEqual(["api:minutes", "ingest:*"]);
    tokens.revoke("id_one");
    expect(tokens.allowsOrigin("https://a.example")).toBe(false);
  });
});

describe("onEnd()", () => {
  test("hears of a revocation and of the token's time, once; not after it was taken back", () => {
    const tokens = tokensOf(known("one"), known("short", { expiresMs: NOW_MS + 1 }));
    const ended: string[] = [];
    const caller = (token: string) => tokens.callerOf(`Bearer ${token}`, NOW_MS)!;
    tokens.onEnd(caller("one"), () => ended.push("one"));
    tokens.onEnd(caller("short"), () => ended.push("short"));
    tokens.onEnd(caller("short"), () => ended.push("taken back"))();
    tokens.sweep(NOW_MS);
    expect(ended).toEqual([]);
    tokens.sweep(NOW_MS + 1);
    tokens.revoke("id_one");
    tokens.revoke("id_one");
    expect(ended).toEqual(["short", "one"]);
  });

  test("hears at once when the token is no more", () => {
    const tokens = tokensOf(known("one"));
    const caller = tokens.callerOf("Bearer one", NOW_MS)!;
    tokens.revoke("id_one");
    let ended = 0;
    tokens.onEnd(caller, () => ended++);
    expect(ended).toBe(1);
  });
});

describe("tickets", () => {
  const asked = { scopes: ["api:minutes"], expiresMs: NOW_MS + 60_000 };
  const open = (tokens: Tokens, token = "one", more = asked) =>
    tokens.ticketFor(tokens.callerOf(`Bearer ${token}`, NOW_MS)!, more)!;

  test("carry their own scopes only, and what their token fixes", () => {
    const fixedParams = new Map([["tenant", ["a"]]]);
    const tokens = tokensOf(known("one", {}, { fixedParams, origins: ["https://a.example"] }));
    expect(tokens.callerOfTicket(open(tokens).ticket, NOW_MS)).toEqual({
      ...{ id: "id_one", name: "one", scopes: ["api:minutes"], isTicket: true },
      ...{ fixedParams, origins: ["https://a.example"] },
    });
  });

  test("never do more than their token", () => {
    const tokens = tokensOf(known("one"));
    const { ticket } = open(tokens, "one", { ...asked, scopes: ["api:other", "admin", "ingest:bird"] });
    expect(tokens.callerOfTicket(ticket, NOW_MS)?.scopes).toEqual(["ingest:bird"]);
  });

  test("end with their own time and with their token's", () => {
    const tokens = tokensOf(known("one"), known("short", { expiresMs: NOW_MS + 10 }));
    const [one, short] = [open(tokens), open(tokens, "short")];
    expect([one.expiresMs, short.expiresMs]).toEqual([NOW_MS + 60_000, NOW_MS + 10]);
    expect(tokens.callerOfTicket(one.ticket, NOW_MS + 59_999)).toBeDefined();
    expect(tokens.callerOfTicket(one.ticket, NOW_MS + 60_000)).toBeUndefined();
    expect(tokens.callerOfTicket(short.ticket, NOW_MS + 10)).toBeUndefined();
  });

  test("die with their token's revocation, and cannot be made after it", () => {
    const tokens = tokensOf(known("one"));
    const { ticket } = open(tokens);
    const caller = tokens.callerOf("Bearer one", NOW_MS)!;
    tokens.revoke("id_one");
    expect([tokens.callerOfTicket(ticket, NOW_MS), tokens.ticketFor(caller, asked)]).toEqual([undefined, undefined]);
  });

  test("are known to every door with the same key, and to no other", () => {
    const ticketKey = Buffer.alloc(32, 1);
    const doors = [new Tokens([], { ticketKey }), new Tokens([], { ticketKey }), new Tokens()];
    for (const tokens of doors) tokens.add(known("one"));
    const { ticket } = open(doors[0]!);
    expect(doors.map((tokens) => tokens.callerOfTicket(ticket, NOW_MS)?.name)).toEqual(["one", "one", undefined]);
  });

  test("are no tokens, and tokens no tickets", () => {
    const tokens = tokensOf(known("one"));
    expect(nameOf(tokens, open(tokens).ticket)).toBeUndefined();
    expect(tokens.callerOfTicket("one", NOW_MS)).toBeUndefined();
  });
});

describe("newToken()", () => {
  test("is 256 random bits, and never the same", () => {
    const all = Array.from({ length: 1_000 }, newToken);
    expect(new Set(all).size).toBe(1_000);
    for (const token of all) expect(token).toMatch(/^weir_[\w-]{43}$/);
  });
});
