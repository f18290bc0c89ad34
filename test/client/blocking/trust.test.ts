import { expect, test } from "bun:test"
import { resolve } from "node:path"
import { trustOf } from "../../../client/blocking/trust.ts"

test("trustOf() passes on what says whom to trust, with whole paths, and nothing else", () => {
  const environment = {
    NODE_EXTRA_CA_CERTS: "certs/ca.pem",
    SSL_CERT_FILE: "/etc/ssl/cert.pem",
    SSL_CERT_DIR: "/etc/ssl/certs:certs",
    NODE_USE_SYSTEM_CA: "1",
    NODE_TLS_REJECT_UNAUTHORIZED: "",
    BUNHOUSE_TOKEN: "secret",
    HTTPS_PROXY: "http://127.0.0.1:1",
    BUN_OPTIONS: "--bogus",
    PATH: "/bin",
  }
  expect(trustOf(environment)).toEqual({
    NODE_EXTRA_CA_CERTS: resolve("certs/ca.pem"),
    SSL_CERT_FILE: "/etc/ssl/cert.pem",
    SSL_CERT_DIR: `/etc/ssl/certs:${resolve("certs")}`,
    NODE_USE_SYSTEM_CA: "1",
  })
  expect(trustOf({})).toEqual({})
})
