/**
 * An OpenAPI document as tests use it: its operations with their examples as requests, and judges of answers.
 *
 *   document ──operationsOf──▶ Asked: method, path, init ──door──▶ answer ──problemsOf──▶ what the document did not say
 *
 * @module
 */
import Ajv2020 from "ajv/dist/2020.js";
import addFormats from "ajv-formats";

/** An operation, as far as tests read it. */
interface Operation {
  readonly operationId: string;
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly content: Content };
  readonly responses: Readonly<Record<string, { readonly $ref?: string; readonly content?: Content }>>;
}

interface Parameter {
  readonly name: string;
  readonly in: "query" | "header" | "path";
  readonly schema: object;
  readonly explode?: boolean;
  readonly example?: unknown;
}

type Content = Readonly<Record<string, { readonly schema: object; readonly example?: unknown }>>;

/** A document. */
export interface Document {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, object>> };
}

/** One example of one operation, as a request. */
export interface Asked {
  readonly id: string;
  /** The operation's path, with its parameters' names. */
  readonly template: string;
  readonly method: string;
  readonly path: string;
  readonly init: { readonly method: string; readonly headers: Record<string, string>; readonly body?: string };
}

/** Every operation of a document with each of its request bodies' examples. */
export function operationsOf({ paths }: Document): readonly Asked[] {
  return Object.entries(paths).flatMap(([template, methods]) =>
    Object.entries(methods).flatMap(([method, operation]) => {
      const bodies = Object.entries(operation.requestBody?.content ?? { "": { schema: {} } });
      return bodies.map(([type, { example }]) => askedOf({ template, method, operation }, { type, example }));
    }),
  );
}

function askedOf(
  { template, method, operation }: { template: string; method: string; operation: Operation },
  { type, example }: { type: string; example?: unknown },
): Asked {
  const search = new URLSearchParams();
  let path = template;
  for (const { name, in: place, example: value } of operation.parameters ?? []) {
    if (value === undefined) continue;
    if (place === "path") path = path.replace(`{${name}}`, String(value));
    else if (Array.isArray(value)) for (const one of value) search.append(name, String(one));
    else if (typeof value === "object")
      for (const [key, one] of Object.entries(value!)) search.append(key, String(one));
    else search.append(name, String(value));
  }
  const body = example === undefined ? undefined : typeof example === "string" ? example : JSON.stringify(example);
  return {
    ...{ id: `${operation.operationId} ${type}`.trim(), template, method: method.toUpperCase() },
    path: search.size === 0 ? path : `${path}?${search}`,
    init: {
      method: method.toUpperCase(),
      headers: type === "" ? {} : { "content-type": type },
      ...(body === undefined ? {} : { body }),
    },
  };
}

/** Judges values and answers by one document's schemas. */
export class Judge {
  readonly #document: Document;
  readonly #ajv = new Ajv2020({ strict: false, allErrors: true, validateSchema: true });

  constructor(document: Document) {
    this.#document = document;
    addFormats(this.#ajv);
    // Of JSON Schema itself: a text of Base64.
    this.#ajv.addFormat("base64", /^[A-Za-z0-9+/]*={0,2}$/);
    this.#ajv.addSchema({ $id: "document", ...document }, "document", undefined, false);
  }

  /** What is wrong with an answer: an undocumented status or type, or content that is not valid. */
  async problemsOf({ template, method }: Asked, answer: Response): Promise<readonly string[]> {
    const place = ["paths", template, method.toLowerCase(), "responses", String(answer.status)];
    const { responses } = this.#document.paths[template]![method.toLowerCase()]!;
    const said = responses[answer.status];
    if (said === undefined) return [`answers ${answer.status}: ${await answer.text()}`];
    const [name] = /[^/]+$/.exec(said.$ref ?? "") ?? [];
    const at = name === undefined ? place : ["components", "responses", name];
    const type = (answer.headers.get("content-type") ?? "").split(";", 1)[0]!;
    const body = await answer.text();
    if (name === undefined && said.content?.[type] === undefined) return [`answers with ${type}`];
    return this.#problems([...at, "content", type, "schema"], type === "application/json" ? JSON.parse(body) : body);
  }

  /** What is wrong with the request body's example. */
  problemsOfExample({ template, method, init }: Asked): readonly string[] {
    const type = init.headers["content-type"];
    if (type === undefined || init.body === undefined) return [];
    const at = ["paths", template, method.toLowerCase(), "requestBody", "content", type, "schema"];
    return this.#problems(at, type === "application/json" ? JSON.parse(init.body) : init.body);
  }

  /** What is wrong with the data of a stream's event. */
  problemsOfEvent(template: string, value: unknown): readonly string[] {
    const at = [
      "paths",
      template,
      "get",
      "responses",
      "200",
      "content",
      "text/event-stream",
      "schema",
      "contentSchema",
    ];
    return this.#problems(at, value);
  }

  #problems(at: readonly string[], value: unknown): readonly string[] {
    const pointer = at.map((step) => encodeURIComponent(step.replaceAll("~", "~0").replaceAll("/", "~1"))).join("/");
    const validate = this.#ajv.compile({ $ref: `document#/${pointer}` });
    if (validate(value)) return [];
    return validate.errors!.map(({ instancePath, message }) => `${instancePath} ${message}`);
  }
}
