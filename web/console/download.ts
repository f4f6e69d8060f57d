/**
 * An answer as a file: asked for anew in the wanted format, kept by the browser once it is whole.
 *
 * @module
 */
import { type Problem, problemOf } from "./query_run.ts";

/** Formats to download, by what they are called. */
export const DOWNLOADS = [
  { name: "CSV", query: "format=csv", file: "answer.csv" },
  { name: "CSV for spreadsheets (formulas become texts)", query: "format=csv&csv=safe", file: "answer.csv" },
  { name: "NDJSON", query: "format=ndjson", file: "answer.ndjson" },
  { name: "Parquet", query: "format=parquet", file: "answer.parquet" },
] as const;

/** One of them. */
export type Download = (typeof DOWNLOADS)[number];

/** What a browser holds of one file; larger ones are for `weir sql` or curl. */
const DOWNLOAD_BYTES_MAX = 2 ** 30;

const TOO_LARGE: Problem = {
  message: `The file would have more than ${DOWNLOAD_BYTES_MAX / 2 ** 20} MiB.`,
  hint: "Ask for less, or download it with curl from /v1/sql.",
  at: null,
};
const CUT: Problem = { message: "The file was cut in its middle.", hint: "Download it again.", at: null };

/** Downloads the answer of a statement; answers what went wrong, if anything did. */
export async function download(
  { query, file }: Download,
  { sql, token }: { sql: string; token: string },
): Promise<Problem | undefined> {
  try {
    const headers = { authorization: `Bearer ${token}`, "content-type": "text/plain" };
    const answer = await fetch(`/v1/sql?${query}`, { method: "POST", headers, body: sql });
    if (!answer.ok) return await problemOf(answer);
    const parts: Uint8Array<ArrayBuffer>[] = [];
    let bytes = 0;
    for (const reader = answer.body!.getReader(); ; ) {
      const { done, value } = await reader.read();
      if (done) break;
      bytes += value.byteLength;
      if (bytes > DOWNLOAD_BYTES_MAX) {
        void reader.cancel();
        return TOO_LARGE;
      }
      parts.push(value);
    }
    save(new Blob(parts, { type: answer.headers.get("content-type") ?? "" }), file);
    return undefined;
  } catch {
    // However the connection broke, there is no file.
    return CUT;
  }
}

const KEPT_MS = 60_000;

/** Gives a file to the browser. */
export function save(blob: Blob, name: string): void {
  const url = URL.createObjectURL(blob);
  const link = Object.assign(document.createElement("a"), { href: url, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), KEPT_MS);
}
