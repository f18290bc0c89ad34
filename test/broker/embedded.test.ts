import { describe, expect, test } from "bun:test"
import { existsSync, readdirSync, writeFileSync } from "node:fs"
import type { NatsServerBinary } from "../../broker/binary.ts"
import { shakeHands } from "../../broker/handshake.ts"
import { startBroker } from "../support/broker.ts"
import { caught } from "../support/caught.ts"
import { type TemporaryFolder, temporaryFolder } from "../support/folder.ts"
import { natsServer } from "../support/nats-server.ts"
import { isRunning, processesWith, sendSignal } from "../support/processes.ts"
import { writeScript } from "../support/script.ts"
import { until } from "../support/until.ts"

/** A stand-in for nats-server; `$2` is the configuration. */
async function scripted(folder: TemporaryFolder, ...lines: string[]): Promise<NatsServerBinary> {
  const { version } = await natsServer()
  return { path: writeScript(folder.join("nats-server"), ...lines), version, origin: "PATH" }
}

/** Nothing runs on, and no file with a secret is left. */
async function expectNothingLeft(folder: string): Promise<void> {
  await until(() => processesWith(folder).length === 0, "all processes to be gone")
  expect(existsSync(`${folder}/nats-server.json`)).toBe(false)
  expect(existsSync(`${folder}/ports`)).toBe(false)
}

describe("startEmbeddedBroker()", () => {
  test("hands out a broker that is ready: handshakes succeed at once", async () => {
    await using stack = await startBroker()
    const { broker } = stack
    expect(broker.url).toBe(`nats://127.0.0.1:${broker.port}`)
    expect(broker.version).toBe((await natsServer()).version)
    expect(isRunning(broker.pid ?? 0)).toBe(true)
    for (const role of ["daemon", "env"] as const) {
      const login = broker.credentials(role)
      expect(await shakeHands(broker.port, login, 1_000)).toEqual({ kind: "accepted" })
    }
  })

  test("gives two brokers ports and passwords of their own", async () => {
    await using one = await startBroker()
    await using other = await startBroker()
    expect(one.broker.port).not.toBe(other.broker.port)
    const stranger = await shakeHands(one.broker.port, other.broker.credentials("daemon"), 1_000)
    expect(stranger.kind).toBe("refused")
  })

  const failures: [what: string, lines: string[], reason: RegExp][] = [
    ["exits at once", ["echo 'cannot map memory' >&2", "exit 3"], /exit code 3; cannot map memory/],
    ["cannot be started", [], /./],
    ["is killed", ["kill -9 $$"], /SIGKILL/],
    ["never listens and ignores SIGTERM", ["trap '' TERM", "sleep 60"], /not ready within 5000 ms/],
    [
      "finds its configuration wrong",
      ['echo "no_such: {" > "$2"', 'exec SERVER "$@"'],
      /Parse error/,
    ],
    [
      "has no place for its data",
      ['mkdir -p "$(dirname "$2")"', 'touch "$(dirname "$2")/jetstream"', 'exec SERVER "$@"'],
      /exit code 1; .*jetstream.*not a directory/i,
    ],
  ]
  for (const [what, lines, reason] of failures) {
    test(`fails within 5 s and leaves nothing behind when the server ${what}`, async () => {
      using folder = temporaryFolder()
      const real = await natsServer()
      const binary = await scripted(folder, ...lines.map((l) => l.replace("SERVER", real.path)))
      if (lines.length === 0) writeFileSync(binary.path, "\u007fELF nonsense")
      const startedAt = performance.now()
      const error = await caught(startBroker({ binary, folder: folder.join("broker") }))
      expect(performance.now() - startedAt).toBeLessThan(5_500)
      expect(error).toMatchObject({ code: "UNAVAILABLE", ran: "no" })
      expect(error.message).toStartWith("nats-server did not start: ")
      expect(error.message).toMatch(reason)
      await expectNothingLeft(folder.join("broker"))
    }, 15_000)
  }

  test("kills a server that lets in who has no password", async () => {
    using folder = temporaryFolder()
    const real = await natsServer()
    // Such a server starts and lets the daemon in: only the proof that is made at every start finds it out.
    const binary = await scripted(
      folder,
      'dir="$(dirname "$2")"',
      `echo "port: -1, host: 127.0.0.1, ports_file_dir: '$dir/ports'" > "$dir/open.conf"`,
      `exec ${real.path} -c "$dir/open.conf"`,
    )
    const error = await caught(startBroker({ binary, folder: folder.join("broker") }))
    expect(error.message).toContain("lets in who has no password")
    await expectNothingLeft(folder.join("broker"))
  })

  test("refuses a folder that others may enter", async () => {
    using folder = temporaryFolder()
    const { exitCode } = Bun.spawnSync(["chmod", "755", folder.path])
    expect(exitCode).toBe(0)
    const error = await caught(startBroker({ folder: folder.path }))
    expect(error).toMatchObject({ code: "PERMISSION_DENIED" })
    expect(error.message).toContain("chmod 700")
  })

  test("says what the system says when its files cannot be written", async () => {
    using folder = temporaryFolder()
    writeFileSync(folder.join("file"), "")
    const error = await caught(startBroker({ folder: folder.join("file", "broker") }))
    expect(error).toMatchObject({ code: "UNAVAILABLE", ran: "no" })
    expect(error.message).toContain("ENOTDIR")
  })

  test("refuses a space that would be a wildcard in permissions", async () => {
    using folder = temporaryFolder()
    for (const space of ["*", "a.>", ""]) {
      const error = await caught(startBroker({ folder: folder.path, space }))
      expect(error).toMatchObject({ code: "INVALID_ARGUMENT" })
    }
    await expectNothingLeft(folder.path)
  })
})

describe("stop()", () => {
  test("ends the server and the shell that watches it, removes secrets, and may come twice", async () => {
    using folder = temporaryFolder()
    await using stack = await startBroker({ folder: folder.path })
    const pid = stack.broker.pid ?? 0
    expect(processesWith(folder.path)).toHaveLength(2)
    await Promise.all([stack.broker.stop(), stack.broker.stop()])
    expect(isRunning(pid)).toBe(false)
    expect(stack.broker.pid).toBeUndefined()
    await stack.broker.stop()
    await expectNothingLeft(folder.path)
    expect(stack.events.filter((event) => event.startsWith("broker exited"))).toEqual([])
  })

  test("kills a server that does not heed SIGTERM", async () => {
    using folder = temporaryFolder()
    await using stack = await startBroker({ folder: folder.path })
    const pid = stack.broker.pid ?? 0
    sendSignal(pid, "SIGSTOP")
    await stack.broker.stop()
    expect(isRunning(pid)).toBe(false)
    await expectNothingLeft(folder.path)
  })

  test("is heeded while a restart is waited for", async () => {
    using folder = temporaryFolder()
    await using stack = await startBroker({ folder: folder.path, restartWaitMs: () => 60_000 })
    stack.kill()
    await until(() => stack.broker.pid === undefined, "the crash to be seen")
    await stack.broker.stop()
    await expectNothingLeft(folder.path)
  })

  test("is heeded while a restart is under way", async () => {
    using folder = temporaryFolder()
    const real = await natsServer()
    const slow = folder.join("slow")
    const binary = await scripted(folder, `[ -e ${slow} ] && sleep 30`, `exec ${real.path} "$@"`)
    await using stack = await startBroker({ binary, folder: folder.join("broker") })
    writeFileSync(slow, "")
    stack.kill()
    await until(() => processesWith("sleep 30").length > 0, "the restart to hang")
    await stack.broker.stop()
    await expectNothingLeft(folder.join("broker"))
  })
})

describe("a server that died unasked", () => {
  test("is started again at once, on the same port and with the same passwords", async () => {
    await using stack = await startBroker()
    const { broker } = stack
    const { port, pid } = broker
    const exits: unknown[] = []
    broker.onExit((exit) => void exits.push(exit))
    const login = broker.credentials("daemon")
    const killedAt = performance.now()
    stack.kill()
    await until(() => broker.pid !== undefined && broker.pid !== pid, "the server to be back")
    expect(performance.now() - killedAt).toBeLessThan(2_000)
    expect(broker.port).toBe(port)
    expect(await shakeHands(port, login, 1_000)).toEqual({ kind: "accepted" })
    expect(exits).toEqual([{ reason: "SIGKILL", restartInMs: 0 }])
  })

  test("waits for its port when another program holds it, and says why", async () => {
    using folder = temporaryFolder()
    const real = await natsServer()
    const flag = folder.join("wait")
    const binary = await scripted(folder, `[ -e ${flag} ] && exit 7`, `exec ${real.path} "$@"`)
    await using stack = await startBroker({ binary, folder: folder.join("broker") })
    const { broker } = stack
    const reasons: string[] = []
    broker.onExit(({ reason }) => void reasons.push(reason))
    writeFileSync(flag, "")
    stack.kill()
    await until(() => reasons.some((reason) => reason.includes("exit code 7")), "a restart to fail")
    const squatter = Bun.listen({ hostname: "127.0.0.1", port: broker.port, socket: { data() {} } })
    Bun.spawnSync(["rm", flag])
    await until(
      () => reasons.some((reason) => reason.includes("address already in use")),
      "the cause",
    )
    squatter.stop(true)
    await until(() => broker.pid !== undefined, "the server to be back")
    const login = broker.credentials("daemon")
    expect(await shakeHands(broker.port, login, 1_000)).toEqual({ kind: "accepted" })
  })

  test("is failed after too many crashes, and says so", async () => {
    using folder = temporaryFolder()
    await using stack = await startBroker({
      folder: folder.path,
      restartWaitMs: (crashes) => (crashes > 3 ? undefined : 1),
    })
    const { broker } = stack
    const waits: (number | undefined)[] = []
    broker.onExit(({ restartInMs }) => void waits.push(restartInMs))
    for (let crash = 1; crash <= 4; crash++) {
      await until(() => broker.pid !== undefined, "the server to be up")
      stack.kill()
      await until(() => waits.length === crash, "the crash to be seen")
    }
    expect(waits).toEqual([1, 1, 1, undefined])
    expect(stack.events.at(-1)).toStartWith("broker failed ")
    await until(() => processesWith(folder.path).length === 0, "nothing to run any more")
    await broker.stop()
    await expectNothingLeft(folder.path)
  })

  test("keeps the others listening when one listener throws", async () => {
    await using stack = await startBroker()
    let heard = 0
    stack.broker.onExit(() => {
      throw new Error("a fault of the listener")
    })
    stack.broker.onExit(() => void heard++)
    const unlisten = stack.broker.onExit(() => void (heard += 100))
    unlisten()
    stack.kill()
    await until(() => heard > 0 && stack.broker.pid !== undefined, "the server to be back")
    expect(heard).toBe(1)
    expect(stack.events.join("\n")).toContain("a fault of the listener")
  })
})

describe("the daemon's death", () => {
  for (const signal of ["SIGKILL", "SIGTERM"] as const) {
    test(`by ${signal} takes the server and its watcher along`, async () => {
      using folder = temporaryFolder()
      await killOwner(folder.path, signal)
      await until(() => processesWith(folder.path).length === 0, "the server to be gone", 2_000)
    })
  }

  test("is mended by the next start in the same folder, at once", async () => {
    using folder = temporaryFolder()
    await killOwner(folder.path, "SIGKILL")
    await using stack = await startBroker({ folder: folder.path })
    // The server of the daemon that was killed does not run beside the new one.
    const servers = processesWith(folder.path).filter((line) => !line.includes("/bin/sh"))
    expect(servers).toHaveLength(1)
    expect(servers[0]).toStartWith(`${stack.broker.pid ?? 0} `)
    expect(readdirSync(folder.join("ports"))).toHaveLength(1)
  })

  test("is outlived by nobody even when a server was left running: the next start ends it", async () => {
    using folder = temporaryFolder()
    const { path } = await natsServer()
    // Stands for a server whose watcher was killed: its ports file and its configuration are ours.
    await Bun.write(folder.join("nats-server.json"), "{}")
    const leftover = Bun.spawn(
      [path, "-p", "-1", "-a", "127.0.0.1", "-c", folder.join("nats-server.json")],
      { stdout: "ignore", stderr: "ignore", env: {} },
    )
    await Bun.write(folder.join("ports", `nats-server_${leftover.pid}.ports`), "{}")
    // A process has no arguments to be known by in the first moment of its exec.
    await until(() => processesWith(folder.path).length === 1, "the server that was left running")
    await using stack = await startBroker({ folder: folder.path })
    expect(stack.broker.pid).toBeDefined()
    expect(isRunning(leftover.pid)).toBe(false)
  })
})

/** Starts a program that starts a broker in `folder`, and ends it. */
async function killOwner(folder: string, signal: NodeJS.Signals): Promise<void> {
  const { path } = await natsServer()
  const owner = Bun.spawn(
    [process.execPath, `${import.meta.dir}/fixtures/owner.ts`, path, folder],
    { stdout: "pipe", stderr: "inherit" },
  )
  try {
    const { value } = await owner.stdout.getReader().read()
    expect(Buffer.from(value ?? []).toString()).toContain("ready")
    await until(() => processesWith(folder).length === 3, "the owner, its server and the watcher")
  } finally {
    owner.kill(signal)
    await owner.exited
  }
}
