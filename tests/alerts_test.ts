/**
 * The alert rules: every expression is PromQL over what a door really says, and every alert has its chapter.
 *
 * @module
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { parser } from "@prometheus-io/lezer-promql";
import { api, JSON_TYPE, model, source } from "./models_fixture.ts";
import { openWorld, type World } from "./world.ts";

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly labels: { readonly severity: string };
  readonly annotations: { readonly summary: string };
}

const folder = new URL("../web/alerts/", import.meta.url);
const { groups } = Bun.YAML.parse(readFileSync(new URL("weir.rules.yml", folder), "utf8")) as {
  readonly groups: readonly { readonly rules: readonly Rule[] }[];
};
const rules = groups.flatMap((group) => group.rules);
const chapters = [...readFileSync(new URL("when_paged.md", folder), "utf8").matchAll(/^## (.+)$/gm)].map(
  ([, name]) => name!,
);

/** The names that Prometheus makes itself. */
const MADE_BY_PROMETHEUS = new Set(["up"]);

let world: World;
beforeAll(async () => {
  world = await openWorld();
  await world.apply({
    event: source("event"),
    "dwa/events.sql": model("SELECT n, count() AS events FROM ods.event GROUP BY n"),
    "api/events.sql": api("SELECT n, events FROM dwa.events"),
  });
  await world.post("/v1/ingest/event?wait=1", '[{"id":"a","n":1},{"id":"b","n":-1}]', JSON_TYPE);
  await world.request("/v1/api/events", { headers: { authorization: `Bearer ${world.token}` } });
  await world.post("/v1/admin/backups", "{}", JSON_TYPE);
});
afterAll(() => world.close());

/** What every process says of the same thing. */
const SAID_BY_ALL = new Set(["weir_source_lag_records", "weir_models", "weir_disk_free_bytes"]);

/** Where an expression cannot be parsed, the metrics that it names, and what each is first aggregated by. */
function read(expr: string) {
  const errors: string[] = [];
  const metrics: string[] = [];
  const aggregated: string[] = [];
  parser.parse(expr).iterate({
    enter: ({ type, from, to, node }) => {
      if (type.isError) errors.push(`at ${from}: ${expr.slice(from, from + 20)}`);
      if (type.name !== "VectorSelector") return;
      const metric = wordAt(expr.slice(from, to));
      let around = node.parent;
      while (around !== null && around.name !== "AggregateExpr") around = around.parent;
      metrics.push(metric);
      aggregated.push(`${around === null ? "nothing" : wordAt(expr.slice(around.from))} of ${metric}`);
    },
  });
  return { errors, metrics, aggregated };
}

const wordAt = (text: string) => /^\w+/.exec(text)![0];

describe("weir.rules.yml", () => {
  test.each(rules.map(({ alert, expr }) => [alert, expr] as const))("%s is PromQL", (_, expr) => {
    expect(read(expr).errors).toEqual([]);
    expect(read(expr).metrics.length).toBeGreaterThan(0);
  });

  test("asks for nothing that a door does not say", async () => {
    const text = await (await world.request("/metrics")).text();
    // What a source has landed is counted some seconds later.
    const landed = ["stored", "duplicate", "quarantined"].map((verdict) => `weir_landed_${verdict}_total`);
    const said = new Set([...landed, ...[...text.matchAll(/^(\w+)(?:\{| )/gm)].map(([, name]) => name!)]);
    const asked = new Set(rules.flatMap(({ expr }) => read(expr).metrics));
    expect([...asked].filter((name) => !said.has(name) && !MADE_BY_PROMETHEUS.has(name))).toEqual([]);
  });

  test("takes once what every process says", () => {
    const shared = rules
      .flatMap(({ expr }) => read(expr).aggregated)
      .filter((one) => SAID_BY_ALL.has(one.split(" of ")[1]!));
    expect(shared.length).toBeGreaterThanOrEqual(SAID_BY_ALL.size);
    expect(shared.filter((one) => !/^(max|min) /.test(one))).toEqual([]);
  });

  test("has for every alert a severity, a sentence and a chapter, and no chapter more", () => {
    for (const { labels, annotations } of rules) {
      expect(["page", "ticket"]).toContain(labels.severity);
      expect(annotations.summary).toEndWith(".");
    }
    expect(chapters).toEqual(rules.map(({ alert }) => alert));
  });
});
