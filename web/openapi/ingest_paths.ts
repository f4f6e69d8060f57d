/**
 * Sources in the document: what an event must be, and what becomes of it.
 *
 * @module
 */
import { eventExample, eventLine, eventSchema, type JsonSchema, type Source } from "@weir/sql";
import type { Door } from "../door.ts";
import { EVENTS_MAX } from "../events.ts";
import { INGEST_LIMITS } from "../ingest.ts";
import { type Caller, mayDo } from "../tokens.ts";
import { jsonContent, listOf, type Operation, objectOf, type Parameter, type Part, refusals } from "./operation.ts";

const PARAMETERS: readonly Parameter[] = [
  {
    ...{ name: "wait", in: "query", example: "1" },
    description: `\`1\`: answer 200 once the events can be queried. Or how long to wait, in milliseconds up to ${INGEST_LIMITS.waitMsMax}.`,
    schema: { type: "string", pattern: "^(?:[0-9]{1,5}|true)$" },
  },
  {
    ...{ name: "Idempotency-Key", in: "header" },
    description:
      "Any name of this request, for example a UUID: sent again with the same body within a day it is stored once. The embedded log also answers it as the first time; on Kafka the answer counts it as accepted, and it is dropped when it lands.",
    schema: { type: "string", pattern: "^[\\x21-\\x7e]{1,200}$" },
  },
];

const MIB = 2 ** 20;
const DESCRIPTION = [
  "One JSON object, an array of objects, or one object a line (`application/x-ndjson`); of a source whose format is CSV, lines. Also with `Content-Encoding: gzip` or `zstd`.",
  "Each event is judged by itself: what is refused is answered with its reason and kept in the quarantine, the others are stored.",
  `Bounds: ${INGEST_LIMITS.sentBytesMax / MIB} MiB as sent, ${INGEST_LIMITS.bytesMax / MIB} MiB decompressed,`,
  `${INGEST_LIMITS.eventBytesMax / MIB} MiB an event, ${EVENTS_MAX} events.`,
].join(" ");

/** The sources that the caller may write to; `nowMs` is the time in the examples. */
export function ingestPaths(door: Door, { caller, nowMs }: { caller: Caller; nowMs: number }): Part {
  const sources = door.sources.all().map(({ applied }) => applied.source);
  // Records of other formats are written into the topic by its own producers.
  const taken = sources.filter(({ format }) => format.kind === "json" || format.kind === "csv");
  const own = taken.filter(({ name }) => mayDo(caller, `ingest:${name}`));
  if (own.length === 0) return { paths: {} };
  const json = own.filter(({ format }) => format.kind === "json");
  const schemas = Object.fromEntries(json.map((source) => [eventName(source), eventSchema(source)]));
  return {
    paths: Object.fromEntries(own.map((source) => [`/v1/ingest/${source.name}`, { post: ingested(source, nowMs) }])),
    schemas: { ...schemas, ...ANSWERS },
  };
}

const eventName = ({ name }: Source) => `${name}_event`;

function ingested(source: Source, nowMs: number): Operation {
  const event = { $ref: `#/components/schemas/${eventName(source)}` };
  const example = eventExample(source, nowMs);
  const lines = (text: string) => ({ schema: { type: "string" }, example: `${text}\n` });
  const line = eventLine(source, nowMs);
  const content: NonNullable<Operation["requestBody"]>["content"] =
    line !== undefined
      ? { "text/csv": lines(line) }
      : {
          ...jsonContent({ anyOf: [event, listOf(event)] }, example),
          "application/x-ndjson": lines(JSON.stringify(example)),
        };
  const taken = jsonContent({ $ref: "#/components/schemas/Ingested" });
  return {
    ...{ operationId: `ingest_${source.name}`, tags: ["Ingest"], summary: source.doc, description: DESCRIPTION },
    security: [{ token: [] }, { ticket: [] }],
    parameters: PARAMETERS,
    requestBody: { required: true, content },
    responses: {
      200: { description: "What is accepted can be queried (with `wait`).", content: taken },
      202: { description: "What is accepted is durable.", content: taken },
      ...refusals(400, 403, 404, 413, 415, 503),
      422: {
        description: "Nothing is accepted: every event is refused, or the Idempotency-Key was used for another body.",
        content: jsonContent({
          anyOf: [{ $ref: "#/components/schemas/NothingAccepted" }, { $ref: "#/components/schemas/Refusal" }],
        }),
      },
    },
  };
}

const counted: Readonly<Record<string, JsonSchema>> = {
  accepted: { type: "integer" },
  duplicates: {
    type: "integer",
    description: "Accepted before, with the same Idempotency-Key; always 0 on Kafka, where repeats are dropped later.",
  },
  rejected: listOf(
    objectOf({
      index: { type: "integer", description: "Which event of the request, counted from 0." },
      column: { type: ["string", "null"] },
      reason: { type: "string" },
    }),
  ),
};
const rejectedTotal: JsonSchema = { type: "integer", description: "If more were refused than are listed." };

const ANSWERS: Readonly<Record<string, JsonSchema>> = {
  Ingested: {
    type: "object",
    properties: {
      ...counted,
      rejected_total: rejectedTotal,
      position: { type: ["string", "null"], description: "For `after` of an API that must show these events." },
      visible: { type: "boolean", description: "With `wait`: whether the events can be queried now." },
      suspended: listOf({ type: "string", description: "Models that get no rows at the moment." }),
    },
    required: [...Object.keys(counted), "position"],
  },
  NothingAccepted: {
    type: "object",
    properties: {
      error: { $ref: "#/components/schemas/Error" },
      ...counted,
      rejected_total: rejectedTotal,
      position: { type: "null" },
    },
    required: ["error", ...Object.keys(counted), "position"],
  },
};
