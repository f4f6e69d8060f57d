/**
 * Waiting in tests: for a condition, with a deadline.
 *
 * @module
 */

const WITHIN_MS = 5_000;
const LOOK_MS = 1;

/** Waits until a condition holds; fails with its text when it does not within some seconds. */
export async function until(holds: () => boolean): Promise<void> {
  const deadlineMs = performance.now() + WITHIN_MS;
  while (!holds()) {
    if (performance.now() > deadlineMs) throw new Error(`It did not hold within ${WITHIN_MS} ms: ${holds}`);
    await Bun.sleep(LOOK_MS);
  }
}
