/**
 * A whole platform behind a real port, to be attacked, and what every refusal must look like.
 *
 *   openGateway ──▶ ask (requests) · rawRequest (bytes) ──▶ refusal ──close──▶ the platform is as it was
 *
 * Tests name the risk that they are about by its number:
 *
 *    1 no token, or a forged one          2 another scope                  3 fixed parameters overridden
 *    4 a statement that writes            5 limits lifted by SETTINGS      6 settings in the address
 *    7 table functions that reach out     8 files read or written          9 names that no list knows
 *   10 several statements                11 parameters as SQL             12 other tables by detours
 *   13 system tables                     14 who and where the server is   15 the engine's own headers
 *   16 memory, time, disk, places        17 addresses by header           18 addresses in other spellings
 *   19 bodies without end                20 bombs                         21 other origins and hosts
 *   22 markup in names and values        23 formulas in CSV               24 control characters in logs and terminals
 *   25 secrets in answers and logs       26 tokens kept and compared      27 prototypes
 *   28 numbers and keys read twice       29 slow patterns                 30 paths and framing
 *   31 answers shared between callers    32 reaching out for an admin     33 packages
 *
 * @module
 */
import { expect } from "bun:test";
import { connect } from "node:net";
import { app } from "@weir/web";
import { openWorld, type World } from "./world.ts";

const SOURCE = `/*---
kind: source
doc: Something to attack.
key: id
---*/
CREATE TABLE ods.event ( id String, n UInt32 )
`;
const SOCKET_MS_MAX = 5_000;

/** Every route below /v1; none of them changes anything, and each ends by itself, with whatever body. */
export const ROUTES = [
  ["POST", "/v1/ingest/event"],
  ["POST", "/v1/sql"],
  ["GET", "/v1/sql/schema"],
  ["DELETE", "/v1/sql/00000000-0000-4000-8000-000000000000"],
  ["GET", "/v1/admin/status"],
  ["GET", "/v1/admin/actors"],
  ["GET", "/v1/admin/sources/event/tail?limit=none"],
  ["GET", "/v1/admin/sources/none/position"],
  ["POST", "/v1/admin/sources/none/position"],
  ["GET", "/v1/admin/quarantine"],
  ["GET", "/v1/admin/quarantine/groups"],
  ["GET", "/v1/admin/quarantine/event.1.0.0"],
  ["POST", "/v1/admin/quarantine/replay"],
  ["POST", "/v1/admin/quarantine/drop"],
  ["GET", "/v1/admin/definitions"],
  ["GET", "/v1/admin/definitions/schemas"],
  ["POST", "/v1/admin/definitions"],
  ["POST", "/v1/admin/definitions/dwa.none/check"],
  ["POST", "/v1/admin/definitions/dwa.none/resume"],
  ["GET", "/v1/admin/tokens"],
  ["POST", "/v1/admin/tokens"],
  ["DELETE", "/v1/admin/tokens/0000000000000000"],
  ["GET", "/v1/admin/backups"],
  ["POST", "/v1/admin/backups"],
  ["GET", "/v1/openapi.json"],
  ["POST", "/v1/tickets"],
  ["GET", "/v1/api"],
  ["GET", "/v1/api/any"],
  ["GET", "/v1/api/any/live"],
] as const;

/** An answer, read whole; `code` is undefined if it is no refusal. */
export interface Refused {
  readonly status: number;
  readonly code: string | undefined;
  readonly text: string;
}

/** A platform with the source `event`, which nothing may enter. */
export interface Gateway {
  readonly world: World;
  readonly port: number;
  /** Asks with the administrator's token, unless `init` has another. */
  readonly ask: (method: string, path: string, init?: RequestInit) => Promise<Refused>;
  /** Sends one request as raw bytes to the port; answers the status, 0 for none. */
  readonly rawRequest: (method: string, path: string, headers?: readonly string[], body?: string) => Promise<number>;
  /** Checks that the platform is as it was, and closes it. */
  readonly close: () => Promise<void>;
}

/** Opens the platform and its port. */
export async function openGateway(): Promise<Gateway> {
  const world = await openWorld();
  await world.apply({ event: SOURCE });
  const server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: app(world.door).fetch });
  const port = server.port as number;
  return {
    world,
    port,
    ask: async (method, path, init = {}) => {
      const headers = { authorization: `Bearer ${world.token}`, ...(init.headers as Record<string, string>) };
      return refusal(await world.request(path, { ...init, method, headers }));
    },
    rawRequest: (method, path, headers = [], body = "") => {
      const host = headers.some((header) => /^host:/i.test(header)) ? [] : ["Host: localhost"];
      const lines = [`${method} ${path} HTTP/1.1`, ...host, "Connection: close", ...headers];
      return raw(port, `${lines.join("\r\n")}\r\n\r\n${body}`);
    },
    close: async () => {
      expect(await world.sql("SELECT count() AS n FROM ods.event")).toEqual([{ n: "0" }]);
      expect(await world.sql("SELECT count() AS n FROM weir.definition")).toEqual([{ n: "1" }]);
      await server.stop(true);
      await world.close();
    },
  };
}

/** Reads an answer; every refusal must have the one form of errors and say nothing of the machine. */
export async function refusal(response: Response): Promise<Refused> {
  const text = await response.text();
  if (response.ok) return { status: response.status, code: undefined, text };
  const { error } = JSON.parse(text) as { error: { code: string } };
  expect(Object.keys(error).sort()).toEqual(["at", "code", "hint", "message"]);
  expect(text).not.toMatch(/\.ts:\d+|weir_(admin|writer|reader)|\/tmp\//);
  return { status: response.status, code: error.code, text };
}

function raw(port: number, text: string): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<number>();
  let answer = "";
  const socket = connect({ host: "127.0.0.1", port }, () => socket.write(text));
  const end = () => resolve(Number(/^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1] ?? 0));
  socket.on("data", (chunk) => {
    answer += chunk.toString("latin1");
  });
  socket.setTimeout(SOCKET_MS_MAX, () => socket.destroy());
  socket.on("error", end);
  socket.on("close", end);
  return promise;
}
