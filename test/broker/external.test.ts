import { describe, expect, test } from "bun:test"
import { type BrokerAddress, externalBroker } from "../../broker/external.ts"
import { caught } from "../support/caught.ts"

function read(url: string | undefined, more: Record<string, string> = {}) {
  return externalBroker({ BUNHOUSE_NATS_URL: url, ...more })
}

describe("externalBroker()", () => {
  test("is undefined where no cluster is named", () => {
    expect(read(undefined)).toBeUndefined()
    expect(read("  ")).toBeUndefined()
  })

  const accepted: [url: string, address: BrokerAddress][] = [
    ["nats://127.0.0.1:4333", { url: "nats://127.0.0.1:4333" }],
    ["localhost", { url: "nats://localhost:4222" }],
    ["nats://[::1]:1234/", { url: "nats://[::1]:1234" }],
    ["nats://u:p@localhost", { url: "nats://localhost:4222", user: "u", password: "p" }],
    [
      "nats://u%40x:p%2F%3a@localhost",
      { url: "nats://localhost:4222", user: "u@x", password: "p/:" },
    ],
    ["nats://token@localhost", { url: "nats://localhost:4222", user: "token", password: "" }],
    ["tls://a.example , tls://b.example:5", { url: "tls://a.example:4222,tls://b.example:5" }],
    [
      "tls://u:p@a.example,tls://u:p@b.example",
      {
        url: "tls://a.example:4222,tls://b.example:4222",
        user: "u",
        password: "p",
      },
    ],
  ]
  for (const [url, address] of accepted) {
    test(`accepts ${url}`, () => {
      expect(read(url)).toEqual(address)
    })
  }

  test("passes a credentials file on", () => {
    const address = read("tls://a.example", { BUNHOUSE_NATS_CREDS: "/home/u/a.creds" })
    expect(address).toEqual({ url: "tls://a.example:4222", credentialsFile: "/home/u/a.creds" })
  })

  const refused: [url: string, reason: string][] = [
    ["http://localhost", "nats://[user:password@]host"],
    ["ws://localhost", "nats://[user:password@]host"],
    ["nats://", "nats://[user:password@]host"],
    ["nats://localhost:99999", "nats://[user:password@]host"],
    ["nats://localhost,,", "nats://[user:password@]host"],
    ["nats://localhost/x", "nothing after the port"],
    ["nats://localhost?x=1", "nothing after the port"],
    ["nats://secret%zz@localhost", "well-formed"],
    ["nats://localhost,tls://localhost", "either all servers with tls://"],
    ["nats://u:secret@localhost,nats://localhost:1", "the same user and password"],
    ["nats://u:secret@a.example", "tls:// for another machine (a.example)"],
    ["nats://localhost,nats://10.0.0.1", "tls:// for another machine (10.0.0.1)"],
    ["nats://127.0.0.1.example", "tls:// for another machine"],
    ["nats://0.0.0.0", "tls:// for another machine"],
  ]
  for (const [url, reason] of refused) {
    test(`refuses ${url}, without repeating a password`, async () => {
      const error = await caught(() => read(url))
      expect(error).toMatchObject({ code: "INVALID_ARGUMENT", ran: "no" })
      expect(error.message).toContain("BUNHOUSE_NATS_URL")
      expect(error.message).toContain(reason)
      expect(error.message).not.toContain("secret")
    })
  }

  test("allows plaintext to another machine when told to", async () => {
    const address = read("nats://a.example", { BUNHOUSE_NATS_INSECURE: "1" })
    expect(address).toEqual({ url: "nats://a.example:4222" })
    const error = await caught(() => read("nats://a.example", { BUNHOUSE_NATS_INSECURE: "true" }))
    expect(error.message).toContain("BUNHOUSE_NATS_INSECURE=1")
  })
})
