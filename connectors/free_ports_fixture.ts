/**
 * Ports for servers that a test starts.
 *
 * @module
 */

/** Ports of the loopback that nobody has taken yet, below those that outgoing connections take. */
export function freePorts(count: number): readonly number[] {
  const ports = new Set<number>();
  while (ports.size < count) {
    const port = 20_000 + Math.floor(Math.random() * 12_000);
    try {
      Bun.listen({ hostname: "127.0.0.1", port, socket: { data() {} } }).stop(true);
      ports.add(port);
    } catch {
      // Somebody has it.
    }
  }
  return [...ports];
}
