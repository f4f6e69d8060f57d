/**
 * The API document as the page reads it: its operations, and requests made of what is written into their fields.
 *
 *   document ──operationsIn──▶ Operation      Operation + values ──requestOf──▶ url, init ──curlOf──▶ a line for a shell
 *
 * @module
 */

/** A JSON Schema, as far as the page shows it. */
export interface Schema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly format?: string;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly default?: unknown;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
  readonly allOf?: readonly Schema[];
  readonly contentSchema?: Schema;
  readonly "x-clickhouse-type"?: string;
}

/** Bodies by media type. */
export type Content = Readonly<Record<string, { readonly schema: Schema; readonly example?: unknown }>>;

/** A parameter. */
export interface Parameter {
  readonly name: string;
  readonly in: "query" | "header" | "path";
  readonly description?: string;
  readonly required?: boolean;
  readonly schema: Schema;
  readonly example?: unknown;
}

/** An answer, or where it is described. */
export interface Answer {
  readonly $ref?: string;
  readonly description?: string;
  readonly content?: Content;
}

/** One method of one path. */
export interface Operation {
  readonly method: string;
  readonly path: string;
  readonly operationId: string;
  readonly tags: readonly string[];
  readonly summary: string;
  readonly description?: string;
  readonly security?: readonly object[];
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly content: Content };
  readonly responses: Readonly<Record<string, Answer>>;
}

/** A document. */
export interface ApiDocument {
  readonly tags: readonly { readonly name: string; readonly description: string }[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, Omit<Operation, "method" | "path">>>>>;
  readonly components: {
    readonly schemas: Readonly<Record<string, Schema>>;
    readonly responses: Readonly<Record<string, Answer>>;
  };
}

/** The operations of a document, in its order. */
export function operationsIn({ paths }: ApiDocument): readonly Operation[] {
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ ...operation, method: method.toUpperCase(), path })),
  );
}

/** The schema itself, where it is only named. */
export function schemaIn(document: ApiDocument, schema: Schema): Schema {
  const [name] = /[^/]+$/.exec(schema.$ref ?? "") ?? [];
  return name === undefined ? schema : (document.components.schemas[name] ?? {});
}

/** The answer itself, where it is only named. */
export function answerIn(document: ApiDocument, answer: Answer): Answer {
  const [name] = /[^/]+$/.exec(answer.$ref ?? "") ?? [];
  return name === undefined ? answer : (document.components.responses[name] ?? {});
}

/** What is written into an operation's fields. */
export interface Values {
  readonly parameters: Readonly<Record<string, string>>;
  readonly type: string;
  readonly body: string;
}

/** What the fields begin with: examples that work; what has a default may stay empty. */
export function firstValues({ parameters = [], requestBody }: Operation): Values {
  const filled = parameters.filter(({ example, schema }) => example !== undefined && schema.default === undefined);
  const [type = "", body] = Object.entries(requestBody?.content ?? {})[0] ?? [];
  return {
    parameters: Object.fromEntries(filled.map(({ name, example }) => [name, textOf(example)])),
    type,
    body: body?.example === undefined ? "" : textOf(body.example, 2),
  };
}

/** The value as it stands in a field. */
export function textOf(value: unknown, indent?: number): string {
  return typeof value === "string" ? value : JSON.stringify(value, null, indent);
}

/** A request. */
export interface Request {
  readonly path: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
}

/** The request that the values make; empty fields are left out. */
export function requestOf(operation: Operation, values: Values): Request {
  const search = new URLSearchParams();
  const headers: Record<string, string> = {};
  let path = operation.path;
  for (const { name, in: place, schema } of operation.parameters ?? []) {
    const value = values.parameters[name] ?? "";
    if (place === "path") path = path.replace(`{${name}}`, encodeURIComponent(value));
    if (value === "" || place === "path") continue;
    if (place === "header") headers[name] = value;
    else if (schema.type === "object") for (const [key, text] of pairsOf(value)) search.append(key, text);
    else search.append(name, value);
  }
  const hasBody = operation.requestBody !== undefined;
  if (hasBody) headers["Content-Type"] = values.type;
  return {
    ...{ method: operation.method, headers, path: search.size === 0 ? path : `${path}?${search}` },
    body: hasBody ? values.body : undefined,
  };
}

/** The pairs of a JSON object; of anything else, none. */
function pairsOf(text: string): readonly (readonly [string, string])[] {
  try {
    return Object.entries(JSON.parse(text) as object).map(([key, value]) => [key, textOf(value)] as const);
  } catch {
    // Not JSON yet: it is still being written.
    return [];
  }
}

/** The request as a line for a shell; the token stays out of it. */
export function curlOf(
  { method, path, headers, body }: Request,
  how: { origin: string; isLive: boolean; isOpen: boolean },
): string {
  const lines = [
    `curl ${how.isLive ? "-N " : ""}${method === "GET" ? "" : `-X ${method} `}${quoted(how.origin + path)}`,
    ...(how.isOpen ? [] : ['-H "Authorization: Bearer $WEIR_TOKEN"']),
    ...Object.entries(headers).map(([name, value]) => `-H ${quoted(`${name}: ${value}`)}`),
    ...(body === undefined || body === "" ? [] : [`--data-binary ${quoted(body)}`]),
  ];
  return lines.join(" \\\n  ");
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
