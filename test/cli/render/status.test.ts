import { describe, expect, test } from "bun:test"
import { renderStatus } from "../../../cli/render/status.ts"
import { makeStyle } from "../../../cli/style.ts"
import type { DaemonStatus, EnvStatus } from "../../../protocol/status.ts"

const time = Date.parse("2026-01-02T03:04:05.000Z")

const env: EnvStatus = {
  name: "math",
  state: "ready",
  spec: {
    concurrency: 1,
    threads: { max: 1 },
    queue: 1,
    packages: {},
    vars: {},
    bunArgs: [],
    setup: [],
    timeoutMs: 300_000,
    loopBlockMs: 100,
    payloadMiB: 64,
  },
  retiring: 0,
  pid: 12,
  crashes: 0,
  running: 3,
  instances: 2,
  ownCalls: 0,
  queued: 4,
  functions: [],
  loopBlocks: [],
}

const status: DaemonStatus = {
  version: "0.1.0",
  protocol: 1,
  pid: 7,
  url: "http://127.0.0.1:7420",
  home: "/home/ada/.bunhouse",
  startedAt: "2026-01-02T00:00:00.000Z",
  rssBytes: 50 * 1024 * 1024,
  state: "running",
  broker: {
    kind: "embedded",
    connected: true,
    server: "nats://127.0.0.1:1",
    version: "2.9.10",
    pid: 8,
  },
  callsInFlight: 5,
  envs: [env],
}

describe("renderStatus()", () => {
  test("shows daemon, broker, calls and envs", () => {
    expect(renderStatus(status, makeStyle(false), time)).toBe(
      [
        "daemon  running at http://127.0.0.1:7420",
        "        version 0.1.0, process 7, up 3 h 4 min, 50 MiB",
        "home    /home/ada/.bunhouse",
        "broker  connected to nats://127.0.0.1:1 (embedded, nats-server 2.9.10, process 8)",
        "calls   5 in flight",
        "",
        "ENV   STATE  PID  RUNNING  QUEUED  FUNCTIONS  INSTANCES  CRASHES",
        "math  ready   12        3       4          0          2        0",
        "",
        "math",
        "  limits    1 async calls and 1 threads at a time, 1 waiting",
      ].join("\n"),
    )
  })

  test("says that there are no envs, and that the broker is away", () => {
    const broker = { ...status.broker, connected: false }
    const text = renderStatus({ ...status, broker, envs: [] }, makeStyle(false), time)
    expect(text).toContain("broker  not connected to nats://127.0.0.1:1")
    expect(text).toEndWith("envs    none yet")
  })

  test("says why an env is failed, in one line whatever the reason is made of", () => {
    const failed: EnvStatus = { ...env, state: "failed", reason: "it\nended \u001b[2J" }
    const text = renderStatus({ ...status, envs: [failed] }, makeStyle(false), time)
    expect(text).toContain("it\\nended \\x1b[2J\n")
  })

  test.each([
    [0, "0 s"],
    [59_999, "59 s"],
    [60_000, "1 min"],
    [3_600_000, "1 h 0 min"],
    [90_000_000, "1 d 1 h"],
    [-5, "0 s"],
  ])("shows %d ms as %s", (ms, text) => {
    const now = Date.parse(status.startedAt) + ms
    expect(renderStatus(status, makeStyle(false), now)).toContain(`, up ${text}, `)
  })

  test("paints states only where colours are wanted", () => {
    expect(renderStatus(status, makeStyle(true), time)).toContain("\u001b[32mready\u001b[39m")
    expect(renderStatus(status, makeStyle(false), time)).not.toContain("\u001b")
  })
})
