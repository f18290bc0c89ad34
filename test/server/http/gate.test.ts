import { describe, expect, test } from "bun:test"
import { hostname } from "node:os"
import { PROTOCOL_VERSION } from "../../../protocol/version.ts"
import { Gate, hostsOf } from "../../../server/http/gate.ts"

const TOKEN = "a-token-of-this-test"
const gate = new Gate(TOKEN, hostsOf("127.0.0.1", ["box.example"]))

interface Asked {
  readonly method?: string
  readonly path?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly host?: string
}

/** The code with which a request is refused; "passes" when it is not. */
function outcome({ method = "GET", path = "/v1/status", headers, host = "localhost" }: Asked = {}) {
  const all = { host, authorization: `Bearer ${TOKEN}`, ...headers }
  const request = new Request(`http://localhost${path}`, { method, headers: all })
  return gate.refusal(request)?.code ?? "passes"
}

describe("Gate", () => {
  test.each([
    ["localhost"],
    ["LOCALHOST:7420"],
    ["127.0.0.1:1"],
    ["[::1]:65535"],
    ["[::1]"],
    ["box.example:80"],
    ["Box.Example"],
  ])("serves the Host %p", (host) => {
    expect(outcome({ host })).toBe("passes")
  })

  test.each([
    ["evil.example"],
    ["localhost.evil.example"],
    ["evil.example:7420"],
    ["127.0.0.1.nip.io"],
    ["127.0.0.2"],
    ["localhost."],
    ["localhost:"],
    ["localhost:123456"],
    ["user@localhost"],
    ["localhost/evil"],
    ["localhost, evil.example"],
    ["::1"],
    ["[::2]"],
    ["0.0.0.0"],
    ["2130706433"],
    ["0x7f.1"],
    ["*"],
    ["[::1"],
    ["box.example.evil.example"],
  ])("refuses the Host %p (G1, G2)", (host) => {
    expect(outcome({ host })).toBe("PERMISSION_DENIED")
  })

  test("that listens everywhere is addressed by any address, but by known names only (G2)", () => {
    for (const host of ["0.0.0.0", "::"]) {
      const open = new Gate(TOKEN, hostsOf(host, ["box.example"]))
      const passes = (name: string) => {
        const headers = { host: name, authorization: `Bearer ${TOKEN}` }
        return open.refusal(new Request("http://localhost/v1/status", { headers })) === undefined
      }
      for (const name of [
        "192.168.1.7:7420",
        "[fe80::1]",
        "box.example",
        hostname(),
        "localhost",
      ]) {
        expect([name, passes(name)]).toEqual([name, true])
      }
      for (const name of ["evil.example", "192.168.1.7.nip.io", "2130706433", "0x7f.1"]) {
        expect([name, passes(name)]).toEqual([name, false])
      }
    }
  })

  test("refuses a request without a Host (G1)", () => {
    const request = new Request("http://localhost/v1/status", {
      headers: { authorization: `Bearer ${TOKEN}` },
    })
    expect(gate.refusal(request)?.code).toBe("PERMISSION_DENIED")
  })

  test.each([
    ["origin", "http://localhost"],
    ["origin", "null"],
    ["origin", ""],
    ["sec-fetch-site", "cross-site"],
    ["sec-fetch-site", "same-site"],
    ["sec-fetch-site", "same-origin"],
    ["sec-fetch-site", ""],
  ])("refuses a page, told by the header %s: %s, also with the token (G2)", (name, value) => {
    const headers = { [name]: value }
    for (const method of ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"]) {
      expect(outcome({ method, headers })).toBe("PERMISSION_DENIED")
    }
    expect(outcome({ path: "/health", headers })).toBe("PERMISSION_DENIED")
  })

  test("lets a person at the address bar through, who has the token all the same", () => {
    expect(outcome({ headers: { "sec-fetch-site": "none" } })).toBe("passes")
  })

  test.each([
    [""],
    ["Bearer"],
    ["Bearer "],
    [`Bearer ${TOKEN}x`],
    [`Bearer ${TOKEN.slice(0, -1)}`],
    [`Bearer ${TOKEN.toUpperCase()}`],
    [`Bearer ${TOKEN} ${TOKEN}`],
    [`Bearer ${TOKEN}, Bearer ${TOKEN}`],
    [`Basic ${TOKEN}`],
    [TOKEN],
    [`Bearer ${"x".repeat(1_000_000)}`],
  ])("refuses the credentials %#, whatever the method and the path (G1)", (authorization) => {
    for (const method of ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"]) {
      for (const path of ["/v1/status", "/ready", "/nowhere", "/", "//health", "/health/x"]) {
        expect(outcome({ method, path, headers: { authorization } })).toBe("UNAUTHENTICATED")
      }
    }
  })

  test("wants the token for everything but liveness, and liveness by GET only (G3)", () => {
    const headers = { authorization: "" }
    expect(outcome({ path: "/health", headers })).toBe("passes")
    expect(outcome({ path: "/health?x=1", headers })).toBe("passes")
    for (const method of ["POST", "PUT", "DELETE", "HEAD", "OPTIONS"]) {
      expect(outcome({ method, path: "/health", headers })).toBe("UNAUTHENTICATED")
    }
  })

  test("takes the scheme in any case, as the standard has it", () => {
    expect(outcome({ headers: { authorization: `bearer ${TOKEN}` } })).toBe("passes")
  })

  test("refuses another protocol, but only to those who may come in", () => {
    const other = { "bunhouse-protocol": String(PROTOCOL_VERSION + 1) }
    expect(outcome({ headers: other })).toBe("VERSION_MISMATCH")
    expect(outcome({ headers: { ...other, authorization: "" } })).toBe("UNAUTHENTICATED")
    expect(outcome({ headers: { "bunhouse-protocol": String(PROTOCOL_VERSION) } })).toBe("passes")
  })

  test("compares tokens of any length without a look at their content (G4)", () => {
    for (const length of [0, 1, 16, 500]) {
      expect(outcome({ headers: { authorization: `Bearer ${"y".repeat(length)}` } })).toBe(
        "UNAUTHENTICATED",
      )
    }
  })
})
