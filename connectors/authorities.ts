/**
 * Authorities: the certificates that a server's own is checked against, where they are not the machine's.
 *
 * @module
 */
import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";

/** A PEM file's certificates; throws if there are none: without this look TLS would only say later that nobody is trusted. */
export function authoritiesOf(caFile: string): string {
  const text = readFileSync(caFile, "utf8");
  new X509Certificate(text);
  return text;
}
