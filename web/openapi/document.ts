/**
 * The document: everything that one caller can do at this door, as OpenAPI 3.1.
 *
 *   api_paths + ingest_paths + sql_paths + door_paths + admin_paths + operator_paths ──▶ document
 *
 * @module
 */
import type { Door } from "../door.ts";
import type { Caller } from "../tokens.ts";
import { adminPaths } from "./admin_paths.ts";
import { ApiPaths } from "./api_paths.ts";
import { doorPaths } from "./door_paths.ts";
import { ingestPaths } from "./ingest_paths.ts";
import { type Part, refusalResponses, SCHEMAS, TAGS } from "./operation.ts";
import { operatorPaths } from "./operator_paths.ts";
import { sqlPaths } from "./sql_paths.ts";

/** The version of the contract, as it stands in every path. */
const VERSION = "1";

const SECURITY_SCHEMES = {
  token: { type: "http", scheme: "bearer", description: "`weir token create` makes one." },
  ticket: {
    ...{ type: "apiKey", in: "query", name: "ticket" },
    description: "For what cannot send headers; `POST /v1/tickets` makes one.",
  },
} as const;

const ABOUT = [
  "What this token reaches: published APIs, sources and SQL.",
  'Errors are `{"error":{"code","message","hint","at"}}` everywhere.',
  "64-bit and wider integers and Decimals are strings in JSON, times are RFC 3339.",
].join(" ");

/** Writes one door's documents. */
export class Documents {
  readonly #door: Door;
  readonly #apis: ApiPaths;

  constructor(door: Door) {
    this.#door = door;
    this.#apis = new ApiPaths(door);
  }

  /** The document for a caller. */
  async for(caller: Caller) {
    const nowMs = this.#door.nowMs?.() ?? Date.now();
    const parts: readonly Part[] = [
      await this.#apis.for(caller),
      ingestPaths(this.#door, { caller, nowMs }),
      sqlPaths(caller),
      doorPaths(caller),
      adminPaths(this.#door, caller),
      operatorPaths(this.#door, caller),
    ];
    return {
      openapi: "3.1.1",
      info: { title: "Weir", version: VERSION, description: ABOUT },
      servers: [{ url: "/" }],
      security: [{ token: [] }],
      tags: Object.entries(TAGS).map(([name, description]) => ({ name, description })),
      paths: Object.assign({}, ...parts.map(({ paths }) => paths)) as Part["paths"],
      components: {
        schemas: Object.assign({}, SCHEMAS, ...parts.map(({ schemas }) => schemas)) as NonNullable<Part["schemas"]>,
        responses: refusalResponses(),
        securitySchemes: SECURITY_SCHEMES,
      },
    };
  }
}
