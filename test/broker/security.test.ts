import { describe, expect, test } from "bun:test"
import { readdirSync, readFileSync, statSync } from "node:fs"
import { join } from "node:path"
import type { BrokerConnection } from "../../broker/connection.ts"
import { shakeHands } from "../../broker/handshake.ts"
import type { BunhouseError } from "../../protocol/errors.ts"
import { envSubjects } from "../../protocol/subjects.ts"
import { startBroker } from "../support/broker.ts"
import { caught } from "../support/caught.ts"
import { until } from "../support/until.ts"

const SPACE = "space1"
const own = envSubjects(SPACE, "ml", "i1")
const foreign = envSubjects("space2", "ml", "i1")

/** What the broker refuses a connection, as "publish to x" or "subscribe to x". */
function refusals(connection: BrokerConnection): string[] {
  const seen: string[] = []
  connection.onError((error: BunhouseError) => {
    expect(error).toMatchObject({ code: "PERMISSION_DENIED", ran: "no" })
    seen.push(/to (publish|subscribe) to \S+/.exec(error.message)?.[0].slice(3) ?? error.message)
  })
  return seen
}

describe("the embedded broker", () => {
  test("refuses who has no password, a wrong one, or another role's", async () => {
    await using stack = await startBroker()
    const { broker } = stack
    const { password } = broker.credentials("env")
    const logins = [
      undefined,
      { user: "daemon", password: "" },
      { user: "daemon", password },
      { user: "", password },
      { user: "admin", password },
    ]
    for (const login of logins) {
      const outcome = await shakeHands(broker.port, login, 1_000)
      expect(outcome).toEqual({ kind: "refused", reason: "Authorization Violation" })
    }
  })

  test("gives every role a password of 256 bits, new at each start", async () => {
    await using one = await startBroker()
    await using other = await startBroker()
    const passwords = [one, other].flatMap(({ broker }) => [
      broker.credentials("daemon").password,
      broker.credentials("env").password,
    ])
    expect(new Set(passwords).size).toBe(4)
    for (const password of passwords) {
      expect(Buffer.from(password, "base64url")).toHaveLength(32)
    }
  })

  test("listens on loopback only, and on one port", async () => {
    await using stack = await startBroker()
    const pid = stack.broker.pid ?? 0
    const { stdout } = Bun.spawnSync(["sh", "-c", "ss -Hltnp 2>/dev/null || true"])
    const lines = stdout.toString().split("\n")
    const listening = lines.filter((line) => line.includes(`pid=${pid},`))
    if (lines.length > 1) expect(listening).toHaveLength(1)
    const ports = readdirSync(join(stack.folder, "ports")).map((name) =>
      JSON.parse(readFileSync(join(stack.folder, "ports", name), "utf8")),
    )
    expect(ports).toEqual([{ nats: [`nats://127.0.0.1:${stack.broker.port}`] }])
  })

  test("keeps its secrets in one file that only the owner may read", async () => {
    await using stack = await startBroker()
    const { folder, broker } = stack
    const secrets = [broker.credentials("daemon").password, broker.credentials("env").password]
    expect(statSync(folder).mode & 0o777).toBe(0o700)
    const holders: string[] = []
    for (const name of readdirSync(folder, { recursive: true, encoding: "utf8" })) {
      const path = join(folder, name)
      const stat = statSync(path)
      if (!stat.isFile()) continue
      const text = readFileSync(path, "utf8")
      if (!secrets.some((secret) => text.includes(secret))) continue
      holders.push(name)
      expect(stat.mode & 0o777).toBe(0o600)
    }
    expect(holders).toEqual(["nats-server.json"])
  })

  test.if(process.platform === "linux")(
    "has no secret in the arguments or the environment of any process",
    async () => {
      await using stack = await startBroker()
      const { broker } = stack
      const secrets = [broker.credentials("daemon").password, broker.credentials("env").password]
      const pids = groupOf(broker.pid ?? 0)
      expect(pids).toHaveLength(2)
      for (const pid of pids) {
        const read = (file: string) => readFileSync(`/proc/${pid}/${file}`, "utf8")
        for (const secret of secrets) expect(read("cmdline")).not.toContain(secret)
        // Nothing of the daemon's environment: only what a shell sets by itself.
        const names = read("environ")
          .split("\0")
          .map((entry) => entry.split("=")[0])
        expect(
          names.filter((name) => !["", "PWD", "OLDPWD", "SHLVL", "_"].includes(name ?? "")),
        ).toEqual([])
      }
      // Control: what stands there is found in this way.
      expect(readFileSync(`/proc/${broker.pid ?? 0}/cmdline`, "utf8")).toContain(stack.folder)
      expect(readFileSync(`/proc/${process.pid}/environ`, "utf8")).toContain("PATH=")
    },
  )
})

describe("the env role", () => {
  test("may do what an env process does", async () => {
    await using stack = await startBroker()
    const [daemon, env] = [await stack.connect("daemon"), await stack.connect("env")]
    const refused = refusals(env)
    const seen: string[] = []
    daemon.subscribe(own.replies, () => void seen.push("replies"))
    env.subscribe(own.calls, () => void seen.push("calls"))
    daemon.subscribe(`${own.nested}.*`, () => void seen.push("nested"))
    env.subscribe(`${own.answers}.1`, () => void seen.push("answers"))
    env.subscribe(own.control, (bytes, { reply = "" }) => env.publish(reply, bytes))
    await Promise.all([env.flush(), daemon.flush()])
    daemon.publish(own.calls, new Uint8Array(1))
    env.publish(own.replies, new Uint8Array(1))
    daemon.publish(`${own.answers}.1`, new Uint8Array(1))
    env.publish(`${own.nested}.1`, new Uint8Array(1))
    await daemon.request(own.control, new Uint8Array(1), 1_000)
    await until(() => seen.length === 4, "all messages")
    expect(refused).toEqual([])
  })

  test("may not publish to anything else", async () => {
    await using stack = await startBroker()
    const [daemon, env] = [await stack.connect("daemon"), await stack.connect("env")]
    const refused = refusals(env)
    const subjects = [
      own.calls,
      own.control,
      `${own.answers}.1`,
      own.nested,
      foreign.replies,
      `${foreign.nested}.1`,
      "bunhouse.space1.other",
      "$KV.bunhouse-space1-envs.p-ml",
      "$JS.API.STREAM.LIST",
      "$SYS.REQ.SERVER.PING",
      "_INBOX.x",
    ]
    let delivered = 0
    daemon.subscribe(own.calls, () => void delivered++)
    daemon.subscribe("bunhouse.space1.other", () => void delivered++)
    await daemon.flush()
    for (const subject of subjects) env.publish(subject, new Uint8Array(1))
    await until(() => refused.length === subjects.length, "all refusals")
    expect(refused).toEqual(subjects.map((subject) => `publish to ${subject}`))
    await daemon.flush()
    expect(delivered).toBe(0)
    expect(await caught(env.request("$JS.API.INFO", new Uint8Array(0), 1_000))).toMatchObject({
      code: "PERMISSION_DENIED",
    })
  })

  test("may not listen to anything else", async () => {
    await using stack = await startBroker()
    const [daemon, env] = [await stack.connect("daemon"), await stack.connect("env")]
    const refused = refusals(env)
    const subjects = [
      ">",
      "*",
      own.replies,
      `${own.nested}.1`,
      foreign.calls,
      "$SYS.>",
      "$JS.>",
      "_INBOX.>",
    ]
    subjects.push("bunhouse.>", "bunhouse.*.env.>", `bunhouse.${SPACE}.inbox.>`)
    let delivered = 0
    for (const subject of subjects) env.subscribe(subject, () => void delivered++)
    await until(() => refused.length === subjects.length, "all refusals")
    expect(refused).toEqual(subjects.map((subject) => `subscribe to ${subject}`))
    daemon.publish(own.replies, new Uint8Array(1))
    await daemon.flush()
    await env.flush()
    expect(delivered).toBe(0)
    expect(env.isConnected).toBe(true)
  })
})

describe("the daemon role", () => {
  test("may not leave its space", async () => {
    await using stack = await startBroker()
    const daemon = await stack.connect("daemon")
    const refused = refusals(daemon)
    daemon.publish(foreign.calls, new Uint8Array(1))
    daemon.subscribe(foreign.replies, () => {})
    daemon.subscribe(">", () => {})
    daemon.subscribe("$SYS.>", () => {})
    await until(() => refused.length === 4, "all refusals")
    expect(refused).toEqual([
      `publish to ${foreign.calls}`,
      `subscribe to ${foreign.replies}`,
      "subscribe to >",
      "subscribe to $SYS.>",
    ])
  })
})

function groupOf(leader: number): string[] {
  return readdirSync("/proc").filter((name) => {
    if (!/^\d+$/.test(name)) return false
    try {
      const stat = readFileSync(`/proc/${name}/stat`, "utf8")
      // state, parent, group: the fields after the program's name in parentheses.
      return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[2] === String(leader)
    } catch {
      return false
    }
  })
}
