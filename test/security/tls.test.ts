/** Attack 42: servers that do not prove who they are. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { getCACertificates, setDefaultCACertificates } from "node:tls";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readConfig } from "../../src/config.ts";
import { client, closing, secret } from "../outbound.ts";

describe("42: a server that does not prove who it is gets nothing", () => {
  const folder = mkdtempSync(join(tmpdir(), "sluice-tls-"));
  const file = (name: string): string => join(folder, name);
  const openssl = (...args: readonly string[]): Buffer => execFileSync("openssl", args, { cwd: folder, stdio: "pipe" });
  const trusted = getCACertificates("default");

  beforeAll(() => {
    openssl(
      "req",
      "-x509",
      "-newkey",
      "rsa:2048",
      "-nodes",
      "-keyout",
      "ca.key",
      "-out",
      "ca.pem",
      "-subj",
      "/CN=ca",
      "-days",
      "2",
    );
    for (const name of ["crm.test", "other.test"]) issue(name, name, "-days", "1");
    issue("expired", "crm.test", "-not_before", "20200101000000Z", "-not_after", "20200102000000Z");
    openssl(
      "req",
      "-x509",
      "-newkey",
      "rsa:2048",
      "-nodes",
      "-keyout",
      "self.key",
      "-out",
      "self.pem",
      "-subj",
      "/CN=crm.test",
      "-days",
      "1",
    );
    setDefaultCACertificates([...trusted, readFileSync(file("ca.pem"), "utf8")]);
  });
  afterAll(() => {
    setDefaultCACertificates(trusted);
    rmSync(folder, { recursive: true });
  });

  /** `x509 -req` of OpenSSL 3.0 knows no dates, so `ca` issues. */
  function issue(as: string, name: string, ...period: readonly string[]): void {
    openssl(
      "req",
      "-newkey",
      "rsa:2048",
      "-nodes",
      "-keyout",
      `${as}.key`,
      "-out",
      `${as}.csr`,
      "-subj",
      `/CN=${name}`,
    );
    const dates = period.map((one) => ({ "-not_before": "-startdate", "-not_after": "-enddate" })[one] ?? one);
    writeFileSync(file("index.txt"), "");
    writeFileSync(
      file("ca.conf"),
      `[ca]\ndefault_ca = d\n[d]\ndatabase = index.txt\nnew_certs_dir = .\nrand_serial = yes\ndefault_md = sha256\npolicy = p\nx509_extensions = e\n[p]\ncommonName = supplied\n[e]\nsubjectAltName = DNS:${name}\n`,
    );
    openssl(
      "ca",
      "-batch",
      "-config",
      "ca.conf",
      "-cert",
      "ca.pem",
      "-keyfile",
      "ca.key",
      "-in",
      `${as}.csr`,
      "-out",
      `${as}.pem`,
      "-notext",
      ...dates,
    );
  }

  async function codeOf(certificate: string, tls: object = {}): Promise<string> {
    let heard = 0;
    const options = {
      key: readFileSync(file(`${certificate}.key`)),
      cert: readFileSync(file(`${certificate}.pem`)),
      ...tls,
    };
    const server = createServer(options, (_request, response) => {
      heard += 1;
      response.end("{}");
    });
    server.on("tlsClientError", () => undefined);
    await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
    closing.push(
      () =>
        new Promise((done) => {
          server.close(() => done());
          server.closeAllConnections();
        }),
    );
    const { port } = server.address() as AddressInfo;
    const { fetch } = client({ allowed: ["crm.test"], resolve: async () => ["127.0.0.1"] });
    const answer = await fetch(`https://crm.test:${port}/`, {
      method: "POST",
      headers: { authorization: secret },
    }).then(
      ({ status }) => String(status),
      (error: unknown) => codeIn(error),
    );
    expect(heard).toBe(answer === "200" ? 1 : 0);
    return answer;
  }

  test("42: self-signed, expired, of another name, or by an old protocol", async () => {
    expect(await codeOf("crm.test")).toBe("200");
    expect(await codeOf("self")).toBe("DEPTH_ZERO_SELF_SIGNED_CERT");
    expect(await codeOf("expired")).toBe("CERT_HAS_EXPIRED");
    expect(await codeOf("other.test")).toBe("ERR_TLS_CERT_ALTNAME_INVALID");
    const old = { minVersion: "TLSv1", maxVersion: "TLSv1.1", ciphers: "DEFAULT@SECLEVEL=0" };
    expect(await codeOf("crm.test", old)).toMatch(/PROTOCOL|ALERT/);
  });

  test("42: nor where the environment says that it need not, with which nothing starts", async () => {
    expect(() => readConfig({ NODE_TLS_REJECT_UNAUTHORIZED: "0" })).toThrow(
      expect.objectContaining({ code: "tls_unproven" }),
    );
    process.env["NODE_TLS_REJECT_UNAUTHORIZED"] = "0";
    try {
      expect(await codeOf("self")).toBe("DEPTH_ZERO_SELF_SIGNED_CERT");
    } finally {
      delete process.env["NODE_TLS_REJECT_UNAUTHORIZED"];
    }
  });
});

function codeIn(error: unknown): string {
  if (typeof error !== "object" || error === null) return "none";
  const inner = "cause" in error ? codeIn(error.cause) : "none";
  return inner === "none" && "code" in error ? String(error.code) : inner;
}
