/**
 * Long work at the door: its progress as NDJSON, for clients that take it; one answer at the end for the others.
 *
 *   work ──every 500 ms──▶ {"progress":…} ──ended──▶ {"status":200,"answer":{…}}
 *
 * The work goes on without its listener.
 *
 * @module
 */
import type { Context } from "hono";
import type { DoorEnv } from "./door.ts";
import { answerOf, Refusal } from "./errors.ts";

/** How often a client that waits hears of it. */
const PROGRESS_EVERY_MS = 500;
const ENCODER = new TextEncoder();

/** What came of it: an answer with its status, or a refusal. */
export type Ended = { readonly status: number; readonly body: object } | Refusal;

/** Answers with what comes of the work; `progress` says how far it is. */
export async function answerWithProgress(
  c: Context<DoorEnv>,
  { ended, progress }: { readonly ended: Promise<Ended>; readonly progress: () => unknown },
): Promise<Response> {
  if (/application\/x-ndjson/i.test(c.req.header("accept") ?? ""))
    return new Response(lines(ended, progress), { headers: { "content-type": "application/x-ndjson" } });
  const end = await ended;
  return end instanceof Refusal ? answerOf(end) : c.json(end.body, end.status as 200);
}

/** Lines as they are taken: a slow listener costs no memory, and one that left is told nothing. */
function lines(ended: Promise<Ended>, progress: () => unknown): ReadableStream<Uint8Array> {
  let isLeft = false;
  return new ReadableStream<Uint8Array>(
    {
      pull: async (controller) => {
        const end = await Promise.race([ended, Bun.sleep(PROGRESS_EVERY_MS)]);
        if (isLeft) return;
        controller.enqueue(line(end === undefined ? { progress: progress() } : lastOf(end)));
        if (end !== undefined) controller.close();
      },
      cancel: () => {
        isLeft = true;
      },
    },
    { highWaterMark: 0 },
  );
}

function lastOf(end: Ended): object {
  return { status: end.status, answer: end instanceof Refusal ? { error: end.body } : end.body };
}

const line = (value: object) => ENCODER.encode(`${JSON.stringify(value)}\n`);
