/**
 * A gateway and two workers on three brokers, each of which dies and comes back while events come in; then the audit.
 *
 *   for each broker: events ──▶ kill -9 of the leader of a third, of a coordinator, perhaps of the controller
 *                          ──▶ rows go on ──▶ started again ──▶ in sync ──▶ the next one
 *
 * @module
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { clusterFor, startCluster, type TestCluster } from "@weir/connectors/testing";
import { temporaryFolder, until } from "../door_process.ts";
import { Stage } from "./kafka_stage.ts";

const jars = clusterFor("tests/faults/kafka_cluster_test.ts");
const NODES = [1, 2, 3];
const DEAD_MS = 3_000;
/** Between two requests of a sender: three brokers and their replicas want the cores as well. */
const PAUSE_MS = 20;
const SYNC_MS_MAX = 60_000;
const folder = temporaryFolder("kafka-cluster-faults");

describe.skipIf(jars === undefined)("on three brokers", () => {
  let cluster: TestCluster;
  let stage: Stage;
  beforeAll(async () => {
    cluster = await startCluster(jars!);
    stage = await Stage.open({ ...cluster, replication: NODES.length }, folder.path);
  }, 150_000);
  afterAll(async () => {
    await (stage ?? cluster)?.stop();
    folder.remove();
  }, 60_000);

  test.each(NODES)(
    "kill -9 of broker %p, which comes back",
    async (node) => {
      const holds = (is: boolean) => is;
      await until("all brokers in sync", cluster.isInSync, { holds, withinMs: SYNC_MS_MAX });
      const play = async () => {
        await cluster.kill(node);
        await stage.grows();
        await Bun.sleep(DEAD_MS);
        await cluster.restart(node);
        await until("all brokers in sync", cluster.isInSync, { holds, withinMs: SYNC_MS_MAX });
      };
      await stage.play({ name: `broker ${node} killed`, pauseMs: PAUSE_MS, play });
      const partitions = await stage.engine.ask("SELECT uniqExact(_partition) FROM ods.number");
      expect(partitions).toBe("4");
    },
    180_000,
  );
});
