/**
 * A schema registry for tests: Confluent's protocol on the loopback, in words.
 *
 *   fakeRegistry() ──▶ schemas, subjects, what it was asked ──fails──▶ any other answer ──stop──▶ nobody there
 *
 * @module
 */

/** A registry that says what a test tells it to. */
export interface FakeRegistry {
  readonly url: string;
  /** What it answers for an id. */
  readonly schemas: Map<number, object>;
  /** What it answers for `subject/version`. */
  readonly subjects: Map<string, object>;
  /** The paths of the requests that came, in order. */
  readonly asked: string[];
  /** The credentials of the last request. */
  authorization: string | null;
  /** Answers instead, where it is set. */
  fails: ((path: string) => Response | Promise<Response>) | undefined;
  readonly stop: () => Promise<void>;
}

const notThere = (code: number) => Response.json({ error_code: code, message: "Not found." }, { status: 404 });
const answer = (found: object | undefined, code: number) =>
  found === undefined ? notThere(code) : Response.json(found);

/** Opens a registry, on a port that was free or on one that is named. */
export function fakeRegistry(port = 0): FakeRegistry {
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port,
    fetch: (request) => {
      const { pathname } = new URL(request.url);
      registry.asked.push(pathname);
      registry.authorization = request.headers.get("authorization");
      if (registry.fails !== undefined) return registry.fails(pathname);
      const [, id] = /^\/schemas\/ids\/(\d+)$/.exec(pathname) ?? [];
      const [, subject, version] = /^\/subjects\/([^/]+)\/versions\/(-?\d+)$/.exec(pathname) ?? [];
      if (id !== undefined) return answer(registry.schemas.get(Number(id)), 40_403);
      if (subject === undefined) return notThere(404);
      return answer(registry.subjects.get(`${decodeURIComponent(subject)}/${version}`), 40_402);
    },
  });
  const registry: FakeRegistry = {
    url: `http://127.0.0.1:${server.port}`,
    ...{ schemas: new Map(), subjects: new Map(), asked: [], authorization: null, fails: undefined },
    stop: () => server.stop(true),
  };
  return registry;
}
