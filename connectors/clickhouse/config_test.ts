/**
 * Tests of `config.ts`: the text alone. What the engine makes of it is tested in
 * `client_test.ts`.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import { engineConfig, escapeXml } from "./config.ts";
import { EXTERNAL_READER_LIMITS } from "./connection.ts";

const config = {
  configPath: '/data/<a> & "b"/clickhouse.xml',
  backupsPath: "/data/backups/",
  passwordHashes: { writer: "aa", reader: "bb", admin: "cc" },
  memoryBytes: 8 * 1024 ** 3,
  limits: EXTERNAL_READER_LIMITS,
};

describe("engineConfig()", () => {
  const text = engineConfig(config);

  test("escapes what it is given", () => {
    expect(text).toContain("<users_config>/data/&lt;a&gt; &amp; &quot;b&quot;/clickhouse.xml</users_config>");
  });

  test("keeps hashes, no password, no logger", () => {
    expect(text).toContain("<password_sha256_hex>bb</password_sha256_hex>");
    expect(text.match(/<password>[^<]+</g)).toBeNull();
    expect(text).not.toContain("<logger>");
  });

  test("closes the account without a password to everybody but the in-process session", () => {
    expect(text).toContain("<max_sessions_for_user>1</max_sessions_for_user>");
    const user = /<default>\n<password><\/password>[\s\S]*?<\/grants>/.exec(text)?.[0];
    expect(user?.match(/GRANT [^<]+/g)).toEqual([
      "GRANT SYSTEM LISTEN ON *.*",
      "GRANT SELECT ON weir_state.*",
      "GRANT SELECT ON dim.*",
    ]);
  });

  test("names a profile and a quota for every user, and balances its tags", () => {
    for (const name of ["boot", "weir_writer", "weir_reader", "weir_admin"]) {
      expect(text.match(new RegExp(`<profile>${name}</profile>`, "g"))).toHaveLength(1);
      expect(text.match(new RegExp(`<quota>${name}</quota>`, "g"))).toHaveLength(1);
    }
    const opened = text.match(/<[A-Za-z_]\w*>/g) ?? [];
    const closed = text.match(/<\/[A-Za-z_]\w*>/g) ?? [];
    expect(opened.length).toBe(closed.length);
  });
});

describe("escapeXml()", () => {
  test("drops what XML cannot hold", () => expect(escapeXml("a\u0000\u001b&'")).toBe("a&amp;&apos;"));
});
