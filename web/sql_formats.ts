/**
 * Formats of an answer: what the engine writes, what the client reads.
 *
 *   ?format= · Accept ──formatOf──▶ Format ──headersOf──▶ Content-Type, Content-Disposition
 *
 * @module
 */
import { Refusal } from "./errors.ts";

/** A format. */
export interface Format {
  /** The engine's name for it. */
  readonly engine: string;
  readonly type: string;
  /** Name for a download. */
  readonly file?: string;
  /** Rows are put into the door's own JSON. */
  readonly isFramed?: boolean;
  /** Cells that a spreadsheet would compute are made texts. */
  readonly isSafe?: boolean;
}

/** By the name that `?format=` takes. */
export const FORMATS: Readonly<Record<string, Format>> = {
  json: { engine: "JSONEachRowWithProgress", type: "application/json", isFramed: true },
  ndjson: { engine: "JSONEachRow", type: "application/x-ndjson" },
  /** Names, types, then one array a row: what shows a table while it arrives needs no more. */
  compact: { engine: "JSONCompactEachRowWithNamesAndTypes", type: "application/x-ndjson" },
  csv: { engine: "CSVWithNames", type: "text/csv", file: "answer.csv" },
  parquet: { engine: "Parquet", type: "application/vnd.apache.parquet", file: "answer.parquet" },
  arrow: { engine: "ArrowStream", type: "application/vnd.apache.arrow.stream", file: "answer.arrows" },
};

/** `?format=` wins over `Accept`; without either it is JSON. `?csv=safe` is for CSV that people open. */
export function formatOf(search: URLSearchParams, accept?: string): Format {
  const format = plainFormatOf(search.get("format"), accept);
  const csv = search.get("csv");
  if (csv === null) return format;
  if (csv === "safe" && format === FORMATS.csv) return { ...format, isSafe: true };
  const hint = "Say ?format=csv&csv=safe, or leave csv out.";
  throw new Refusal(400, "bad_parameter", "Cannot use 'csv': it is only for CSV, and only safe.", hint, "csv");
}

function plainFormatOf(asked: string | null, accept = ""): Format {
  const names = Object.keys(FORMATS).join(", ");
  if (asked !== null) {
    if (Object.hasOwn(FORMATS, asked)) return FORMATS[asked]!;
    throw new Refusal(400, "unknown_format", "Cannot answer in that format.", `Use one of ${names}.`, "format");
  }
  const wanted = accept
    .slice(0, 1_000)
    .split(",")
    .map((range) => range.split(";").map((part) => part.trim().toLowerCase()))
    .map(([type = "", ...rest]) => ({ type, q: Number(rest.find((part) => part.startsWith("q="))?.slice(2) ?? 1) }))
    .filter(({ type, q }) => type !== "" && q > 0)
    .sort((a, b) => b.q - a.q);
  if (wanted.length === 0) return FORMATS.json!;
  for (const { type } of wanted) {
    const found = Object.values(FORMATS).find((format) => format.type === type);
    if (found !== undefined) return found;
    if (type === "*/*" || type === "application/*") return FORMATS.json!;
    if (type === "text/*") return FORMATS.csv!;
  }
  throw new Refusal(
    406,
    "not_acceptable",
    "Cannot answer in any format that Accept names.",
    `Say ?format= with one of ${names}.`,
    "Accept",
  );
}

/** Headers that say what an answer is. */
export function headersOf({ type, file }: Format): Headers {
  const headers = new Headers({ "content-type": type.startsWith("text/") ? `${type}; charset=utf-8` : type });
  if (file !== undefined) headers.set("content-disposition", `attachment; filename="${file}"`);
  return headers;
}
