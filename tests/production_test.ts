/**
 * The compose file of production: its services fit together, and every setting in it is one that Weir reads.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { readConfig, SETTINGS } from "@weir/web";

const FOLDER = new URL("../web/production", import.meta.url).pathname;
const ENVIRONMENT = { WEIR_CLICKHOUSE_PASSWORD: "LettersAndDigits9" };

interface Service {
  readonly image: string;
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string | number>>;
  readonly volumes?: readonly string[];
  readonly ports?: readonly string[];
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly healthcheck?: { readonly test: readonly string[] };
}

interface Compose {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: Readonly<Record<string, unknown>>;
}

/** Fills `${NAME:?why}` as Compose does: with the text as it is. */
const filled = (text: string) =>
  text.replaceAll(/\$\{(\w+)(?::\?[^}]*)?\}/g, (_, name: keyof typeof ENVIRONMENT) => {
    expect(ENVIRONMENT).toHaveProperty(name);
    return ENVIRONMENT[name];
  });

const compose = Bun.YAML.parse(filled(readFileSync(join(FOLDER, "compose.yaml"), "utf8"))) as Compose;
const services = Object.entries(compose.services);
const ours = services.filter(([, { command }]) => command?.includes("web/main.ts"));

/** Hosts of a cluster's shards as the servers are told them; each is a service that is given that file. */
function shardsOf(cluster: string): readonly string[] {
  const file = "clickhouse_cluster.xml";
  const xml = readFileSync(join(FOLDER, file), "utf8");
  const [, shards] = new RegExp(`<remote_servers>\\s*<${cluster}>(.*)</${cluster}>`, "s").exec(xml)!;
  const replicas = [
    ...shards!.matchAll(
      /<shard>\s*<internal_replication>true<\/internal_replication>\s*<replica><host>(\w+)<\/host><port>9000<\/port><user>(\w+)<\/user><password from_env="(\w+)"\/><\/replica>\s*<\/shard>/g,
    ),
  ];
  return replicas.map(([, host, user, variable]) => {
    const { environment, volumes } = compose.services[host!]!;
    expect(environment!.CLICKHOUSE_USER).toBe(user!);
    expect(environment).toHaveProperty(variable!);
    expect(volumes).toContain(`./${file}:/etc/clickhouse-server/config.d/weir.xml:ro`);
    return host!;
  });
}

describe("compose.yaml", () => {
  test.each(services)("%s has an image of a version, and what it names is there", (_, service) => {
    expect(service.image).toMatch(/^[a-z][a-z0-9./-]*:\d[\d.]*$/);
    expect(service.healthcheck?.test[0]).toBe("CMD");
    for (const [name, { condition }] of Object.entries(service.depends_on ?? {})) {
      expect(condition).toBe("service_healthy");
      expect(compose.services[name]?.healthcheck).toBeDefined();
    }
    for (const [volume] of (service.volumes ?? []).map((one) => one.split(":")))
      expect(volume!.startsWith(".") || volume! in compose.volumes).toBe(true);
    for (const port of service.ports ?? []) expect(port).toMatch(/^127\.0\.0\.1:\d+:\d+$/);
  });

  test.each(ours)("%s is configured by what Weir reads, and finds what it is to find", (name, service) => {
    const [bun, main, start, flag, role] = service.command!;
    expect([bun, main, start, flag]).toEqual(["bun", "web/main.ts", "start", "--role"]);
    const env = Object.fromEntries(Object.entries(service.environment!).map(([key, value]) => [key, String(value)]));
    const config = readConfig({ role }, env);
    expect(config).toMatchObject({ role: name, host: "0.0.0.0" });
    const path = name === "gateway" ? "/readyz?for=ingest" : "/readyz";
    expect(service.healthcheck!.test.at(-1)).toContain(`fetch('http://127.0.0.1:${config.port}${path}')`);
    const [broker] = config.kafkaBrokers!;
    expect(compose.services[broker!.split(":")[0]!]?.environment?.KAFKA_ADVERTISED_LISTENERS).toBe(
      `BROKER://${broker}`,
    );
    const urls = config.clickHouseUrl!.split(",").map((url) => new URL(url));
    expect(urls.map(({ hostname }) => hostname)).toEqual([...shardsOf(config.clickHouseCluster!)]);
    for (const url of urls) {
      const server = compose.services[url.hostname]!.environment!;
      expect({ user: url.username, password: url.password }).toEqual({
        ...{ user: server.CLICKHOUSE_USER as string, password: String(server.CLICKHOUSE_PASSWORD) },
      });
    }
    const known = Object.values(SETTINGS).map(({ variable }) => variable);
    expect(Object.keys(env).filter((variable) => !known.includes(variable))).toEqual([]);
  });

  test("runs the Bun that the project is tested with", () => {
    const { devDependencies } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
    expect(compose.services.gateway!.image).toBe(`oven/bun:${devDependencies["bun-types"]}`);
  });
});
