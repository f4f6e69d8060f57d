/**
 * Repairs of kafkajs 2.2.4: what its connections do wrong when they break, which is when they matter.
 *
 *   broken ──▶ closed without waiting ──next request──▶ one connection anew, which begins with empty buffers
 *
 * They change kafkajs's own classes, once, when this file is first imported; a later kafkajs may not need them.
 *
 * @module
 */
import { KafkaJSConnectionError } from "kafkajs";
import Connection from "kafkajs/src/network/connection.js";
import RequestQueue from "kafkajs/src/network/requestQueue/index.js";

/** Bytes that say how long an answer is. */
const LENGTH_BYTES = 4;
/** What a connection takes at most beyond its own bound, which it forgets when it ends before it has begun. */
const LATER_MS = 1_000;

/**
 * It looks for waiting requests after each answer by a timer of a negative delay, even when there are none; a runtime
 * warns of it, and it wakes the process for nothing.
 */
const schedule = RequestQueue.prototype.scheduleCheckPendingRequests;
RequestQueue.prototype.scheduleCheckPendingRequests = function (this: RequestQueue) {
  if (this.pending.length > 0) schedule.call(this);
};

/**
 * It takes a connection that has just broken for one that is closing in good order: who repeats a request at once sends
 * it there, and closing waits for its answer, 30 s or for ever. A broken one is closed without waiting, and what is sent
 * next opens another.
 */
const { connect, rejectRequests, disconnect } = Connection.prototype;
Connection.prototype.rejectRequests = function (this: Connection, error: Error) {
  this.connectionStatus = "disconnected";
  rejectRequests.call(this, error);
};
Connection.prototype.disconnect = async function (this: Connection) {
  if (this.connectionStatus !== "disconnected") return disconnect.call(this);
  this.socket?.destroy();
  return true;
};

/**
 * It goes on behind what a broken connection had received of an answer: the next answers are taken for the rest of that
 * one, and nobody hears of them. It also opens a connection for each request that comes while there is none, and waits for
 * ever for one that ends before it has begun.
 */
const connecting = new WeakMap<Connection, Promise<true>>();
Connection.prototype.connect = function (this: Connection) {
  if (this.isConnected()) return Promise.resolve(true);
  const open = connecting.get(this) ?? connectAnew(this).finally(() => connecting.delete(this));
  connecting.set(this, open);
  return open;
};

function connectAnew(connection: Connection): Promise<true> {
  connection.chunks = [];
  connection.bytesBuffered = 0;
  connection.bytesNeeded = LENGTH_BYTES;
  const late = Promise.withResolvers<true>();
  const giveUp = () => {
    connection.socket?.destroy();
    late.reject(new KafkaJSConnectionError("Connection ended before it began"));
  };
  const clock = setTimeout(giveUp, connection.connectionTimeout + LATER_MS);
  return Promise.race([connect.call(connection), late.promise]).finally(() => clearTimeout(clock));
}
