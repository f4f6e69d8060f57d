/**
 * A log that keeps no keys, as Kafka's, over one that does: what `once` says goes along in each record's header.
 *
 *   append(writes, once) ──▶ the same records, each with its header ──▶ the log below, without `once`
 *
 * @module
 */
import { headersOf, type Log, ONCE_HEADER, onceMarker, openRecords, RecordWriter, type Write } from "@weir/connectors";

/** The log without its keys. */
export function keyless(log: Log["Service"]): Log["Service"] {
  return {
    ...log,
    keepsKeys: false,
    append: (writes, once) =>
      log.append(once === undefined ? writes : writes.map((write) => marked(write, onceMarker(once)))),
  };
}

function marked({ topic, partition, records, indexes }: Write, once: (index: number) => string): Write {
  const run = { firstOffset: 0, count: records.count, start: 0, end: records.length };
  const open = openRecords({ topic, partition, next: records.count }, records.packed(), [run]);
  const writer = new RecordWriter();
  for (let i = 0; i < open.count; i++) {
    const [keyStart, valueStart] = [open.keyStarts[i]!, open.valueStarts[i]!];
    writer.add({
      key: keyStart < 0 ? null : open.bytes.slice(keyStart, open.keyEnds[i]),
      value: valueStart < 0 ? null : open.bytes.slice(valueStart, open.valueEnds[i]),
      timestampMs: open.timestamps[i]!,
      headers: { ...headersOf(open, i), [ONCE_HEADER]: once(indexes?.[i] ?? i) },
    });
  }
  return { topic, partition, records: writer };
}
