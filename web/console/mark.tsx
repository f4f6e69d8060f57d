/**
 * Weir's mark: water over a step.
 *
 * @module
 */

/** The mark; it says nothing that the name beside it does not. */
export function Mark() {
  return (
    <svg className="mark" viewBox="0 0 32 32" aria-hidden="true">
      <rect width="32" height="32" rx="7" />
      <path d="M6 9l4.5 14L16 11l5.5 12L26 9" />
    </svg>
  );
}
