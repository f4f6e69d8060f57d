/**
 * What an operator watches and repairs, in the document: status, actors, a source's records, the quarantine, backups.
 *
 * @module
 */
import type { JsonSchema } from "@weir/sql";
import { backupBody } from "../backups.ts";
import type { Door } from "../door.ts";
import { INSTANT_FORM } from "../instant.ts";
import { positionBody } from "../position_routes.ts";
import { QUARANTINE_LIMITS } from "../quarantine.ts";
import { askSchema } from "../quarantine_routes.ts";
import { type Caller, mayDo } from "../tokens.ts";
import {
  ADMIN_TAG,
  adminAnswers,
  bodyOf,
  listOf,
  type Operation,
  objectOf,
  type Parameter,
  type Part,
  refusals,
  TEXT,
  TIME,
  WHOLE,
} from "./operation.ts";

/** The operator's routes below /v1/admin, for administrators. */
export function operatorPaths({ sources }: Pick<Door, "sources">, caller: Caller): Part {
  if (!mayDo(caller, "admin")) return { paths: {} };
  const source = sources.all()[0]?.applied.source.name ?? "example";
  return {
    paths: {
      "/v1/admin/status": { get: STATUS },
      "/v1/admin/actors": { get: ACTORS },
      "/v1/admin/sources/{source}/tail": { get: tail(source) },
      "/v1/admin/sources/{source}/position": { get: position(source), post: changePosition(source) },
      "/v1/admin/quarantine": { get: QUARANTINE },
      "/v1/admin/quarantine/groups": { get: GROUPS },
      "/v1/admin/quarantine/{id}": { get: ONE_ROW },
      "/v1/admin/quarantine/replay": { post: changed(source, { id: "replay_quarantine", summary: REPLAY }) },
      "/v1/admin/backups": { get: BACKUPS, post: MAKE_BACKUP },
      "/v1/admin/quarantine/drop": { post: changed(source, { id: "drop_quarantine", summary: DROP }) },
    },
    schemas: { QuarantineRow: QUARANTINE_ROW, Backup: BACKUP },
  };
}

const TEXT_OR_NULL = { type: ["string", "null"] } as const;
const WHOLE_OR_NULL = { type: ["integer", "null"] } as const;
const NUMBER_OR_NULL = { type: ["number", "null"] } as const;

const STATUS: Operation = {
  ...{
    operationId: "get_status",
    ...ADMIN_TAG,
    summary: "Everything at a glance; what a part does not answer is null.",
  },
  responses: adminAnswers({
    description: "Readiness, sources, models, actors and disk.",
    schema: objectOf({
      ...{ version: TEXT, started_at: TIME, uptime_seconds: WHOLE, ready: { type: "boolean" }, reasons: listOf(TEXT) },
      sources: listOf(
        objectOf({
          ...{ source: TEXT, topic: TEXT, rows: WHOLE_OR_NULL, events_per_second: NUMBER_OR_NULL },
          ...{ lag_records: WHOLE_OR_NULL, lag_seconds: NUMBER_OR_NULL, open_intents: WHOLE_OR_NULL },
          owners: {
            type: ["array", "null"],
            items: objectOf({ name: TEXT, partitions: listOf(WHOLE) }),
            description: "Which process lands which partitions.",
          },
          ...{ duplicates_last_hour: WHOLE_OR_NULL, quarantined_last_hour: WHOLE_OR_NULL },
          refused_last_hour: WHOLE_OR_NULL,
          stopped: {
            type: ["array", "null"],
            items: objectOf({ partition: WHOLE, note: TEXT }),
            description: "Partitions that stand still at records which the log no longer has.",
          },
          lost_records: WHOLE_OR_NULL,
          evolved_columns: WHOLE,
          left_out: listOf(TEXT),
        }),
      ),
      models: objectOf({ active: WHOLE, building: WHOLE, suspended: listOf(objectOf({ name: TEXT, note: TEXT })) }),
      actors: objectOf({
        running: WHOLE,
        stopped: listOf(objectOf({ address: TEXT, state: TEXT, note: TEXT_OR_NULL })),
        waiting: {
          ...listOf(objectOf({ address: TEXT, note: TEXT_OR_NULL })),
          description: "Partitions that wait for what a schema registry says, and tables that wait for columns.",
        },
        restarted: listOf(objectOf({ address: TEXT, state: TEXT, restarts: WHOLE })),
      }),
      shards: { type: "integer", description: "ClickHouse servers that rows are spread over." },
      disk: objectOf({
        ...{ log_bytes: WHOLE_OR_NULL, warehouse_bytes: WHOLE_OR_NULL, warehouse_free_bytes: WHOLE_OR_NULL },
      }),
    }),
  }),
};

const ACTORS: Operation = {
  ...{ operationId: "list_actors", ...ADMIN_TAG, summary: "Every actor with its state, and the lag of every source." },
  responses: adminAnswers({
    description: "Actors and sources.",
    schema: objectOf({
      actors: listOf(
        objectOf({ address: TEXT, kind: TEXT, state: TEXT, mailbox: WHOLE, mailboxMax: WHOLE, restarts: WHOLE }),
      ),
      sources: listOf(
        objectOf({
          source: TEXT,
          topic: TEXT,
          lag: { type: ["integer", "null"], description: "Records that cannot be queried yet; null: the log is away." },
          partitions: listOf(objectOf({ partition: WHOLE, earliest: WHOLE, latest: WHOLE, lag: WHOLE })),
        }),
      ),
    }),
  }),
};

function tail(source: string): Operation {
  return {
    ...{
      operationId: "tail_source",
      ...ADMIN_TAG,
      summary: "A source's records as they arrive in the log, before they are judged.",
    },
    description:
      'One JSON object a line: a record, or `{"gap":…}` where retention was faster. A record of another format than JSON comes with the `row` that it is, or why it is none. It ends after `limit` records, with the client or with the token.',
    parameters: [
      { name: "source", in: "path", required: true, schema: TEXT, example: source },
      {
        ...{ name: "from", in: "query", schema: { ...TEXT, default: "latest" }, example: "earliest" },
        description: `latest, earliest, how many records back, ${INSTANT_FORM}.`,
      },
      { name: "partition", in: "query", description: "Of this one only.", schema: { ...WHOLE, minimum: 0 } },
      { name: "limit", in: "query", description: "How many records.", schema: { ...WHOLE, minimum: 1 }, example: 1 },
    ],
    responses: {
      200: { description: "Records.", content: { "application/x-ndjson": { schema: TEXT } } },
      ...refusals(400, 403, 404, 503),
    },
  };
}

const GAP: JsonSchema = objectOf({ partition: WHOLE, epoch: WHOLE, from: WHOLE, to: WHOLE });

function position(source: string): Operation {
  return {
    ...{ operationId: "get_position", ...ADMIN_TAG, summary: "Where each partition of a source stands." },
    parameters: [{ name: "source", in: "path", required: true, schema: TEXT, example: source }],
    responses: adminAnswers({
      description: "Partitions, and what was accepted as lost.",
      schema: objectOf({
        ...{ source: TEXT, topic: TEXT, gaps: listOf(GAP) },
        partitions: listOf(
          objectOf({
            ...{ partition: WHOLE, epoch: WHOLE, next: WHOLE_OR_NULL, committed: WHOLE_OR_NULL },
            ...{ visible: WHOLE_OR_NULL, earliest: WHOLE, latest: WHOLE },
            stopped: { ...TEXT_OR_NULL, description: "Why it stands still, and what to do." },
          }),
        ),
      }),
      refused: [404, 503],
    }),
  };
}

function changePosition(source: string): Operation {
  return {
    ...{ operationId: "change_position", ...ADMIN_TAG, summary: "Go on behind a gap, or begin anew elsewhere." },
    description:
      "`accept_gap` lets stopped partitions go on behind what the log no longer has; answered with `gaps`. `to` makes the source's table and the models above it anew, without rows, in a new epoch that begins there; answered with what that takes away and what is read again.",
    parameters: [{ name: "source", in: "path", required: true, schema: TEXT, example: source }],
    requestBody: bodyOf(positionBody, { to: "earliest", dry_run: true }),
    responses: adminAnswers({
      description: "What was done, or would be.",
      schema: objectOf({ done: { type: "boolean" } }),
      refused: [400, 404, 409, 422, 503],
    }),
  };
}

const FILTERS: readonly Parameter[] = [
  { name: "source", in: "query", description: "Of this source only.", schema: TEXT },
  { name: "since", in: "query", description: `Quarantined since: ${INSTANT_FORM}.`, schema: TEXT },
  { name: "column", in: "query", description: "The column at fault.", schema: TEXT },
  { name: "reason", in: "query", description: "A part of the reason.", schema: TEXT },
  { name: "all", in: "query", description: "`1`: also what was replayed or dropped.", schema: { enum: ["1"] } },
  {
    ...{ name: "limit", in: "query", example: 10 },
    schema: { ...WHOLE, minimum: 1, maximum: QUARANTINE_LIMITS.rowsMax, default: QUARANTINE_LIMITS.rows },
  },
];

const QUARANTINE_ROW: JsonSchema = objectOf({
  ...{ id: TEXT, source: TEXT, topic: TEXT, epoch: WHOLE },
  partition: { ...WHOLE_OR_NULL, description: "Null: refused at the door, so never in the log." },
  ...{ offset: WHOLE_OR_NULL, column: TEXT_OR_NULL, reason: TEXT },
  ...{ raw: TEXT, raw_encoding: { enum: ["utf-8", "base64"] }, raw_bytes: WHOLE, raw_is_cut: { type: "boolean" } },
  ...{ event_at: TIME, quarantined_at: TIME },
});
const ROW_REF = { $ref: "#/components/schemas/QuarantineRow" } as const;

const QUARANTINE: Operation = {
  ...{ operationId: "list_quarantine", ...ADMIN_TAG, summary: "What could not be stored, newest first." },
  parameters: [
    ...FILTERS,
    { name: "before", in: "query", description: "The `next` of an answer, or an RFC 3339 time.", schema: TEXT },
  ],
  responses: adminAnswers({
    description: "One page; `next` is where the page after it begins.",
    schema: objectOf({ rows: listOf(ROW_REF), next: TEXT_OR_NULL }),
    refused: [400, 503],
  }),
};

const GROUPS: Operation = {
  ...{
    operationId: "list_quarantine_groups",
    ...ADMIN_TAG,
    summary: "What is wrong in the quarantine, and how often.",
  },
  parameters: FILTERS,
  responses: adminAnswers({
    description: "Groups by source, column and reason, the largest first.",
    schema: objectOf({
      groups: listOf(
        objectOf({
          ...{ source: TEXT, column: TEXT_OR_NULL, reason: TEXT, refused: { type: "boolean" } },
          ...{ count: WHOLE, first_at: TIME, last_at: TIME },
          example: { ...TEXT, description: "The name of one row." },
        }),
      ),
      groups_total: WHOLE,
    }),
    refused: [400, 503],
  }),
};

const ONE_ROW: Operation = {
  ...{
    operationId: "get_quarantine_row",
    ...ADMIN_TAG,
    summary: "One row of the quarantine, with all bytes that were kept.",
  },
  parameters: [{ name: "id", in: "path", required: true, schema: TEXT, example: "example.1.0.0" }],
  responses: adminAnswers({ description: "The row.", schema: ROW_REF, refused: [404, 503] }),
};

const BACKUP: JsonSchema = objectOf({
  ...{ name: TEXT, path: TEXT, made_at: TIME, catalog: WHOLE, tables: WHOLE, rows: WHOLE, log_bytes: WHOLE },
  records: { type: "object", additionalProperties: WHOLE, description: "Records of the log, by topic." },
});
const UNREADABLE = objectOf({ name: TEXT, path: TEXT, problem: TEXT });
const BACKUP_REF = { $ref: "#/components/schemas/Backup" };

const BACKUPS: Operation = {
  ...{ operationId: "list_backups", ...ADMIN_TAG, summary: "The backups in the door's folder." },
  responses: adminAnswers({
    description: "Backups, by name.",
    schema: objectOf({ backups: listOf({ anyOf: [BACKUP_REF, UNREADABLE] }) }),
    refused: [503],
  }),
};

const MAKE_BACKUP: Operation = {
  ...{ operationId: "make_backup", ...ADMIN_TAG, summary: "Backs everything up as of one moment." },
  description:
    'It takes a while: a client that accepts `application/x-ndjson` hears of the progress, at last `{"status","answer"}`.',
  requestBody: bodyOf(backupBody, {}),
  responses: adminAnswers(
    { description: "The backup.", schema: BACKUP_REF, refused: [400, 409, 413, 415, 422, 503] },
    "201",
  ),
};

const REPLAY = "Sends rows of the quarantine through the log again, as the source is now.";
const DROP = "Marks rows of the quarantine as done with.";

function changed(source: string, { id, summary }: { id: string; summary: string }): Operation {
  return {
    ...{ operationId: id, ...ADMIN_TAG, summary },
    description: "Either `ids` or a `source`, with filters.",
    requestBody: bodyOf(askSchema, { source, dry_run: true }),
    responses: adminAnswers({
      description: "Each row's outcome, and where the next page begins.",
      schema: objectOf({
        counts: { type: "object", additionalProperties: WHOLE },
        rows: listOf(objectOf({ id: TEXT, outcome: TEXT, column: TEXT_OR_NULL, reason: TEXT_OR_NULL })),
        next: TEXT_OR_NULL,
      }),
      refused: [400, 413, 415, 422, 503],
    }),
  };
}
