import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Daemon } from "../client/daemon.ts"
import { fn, type Remote } from "../client/index.ts"
import { type Program, startProgram } from "./program.ts"

/** What is measured: a daemon of the bench's own, with its broker and env processes. */
export interface Subject extends AsyncDisposable {
  readonly here: Daemon
  /** The same daemon, with blocking calls by a resident thread. */
  readonly resident: Daemon
  readonly echo: Remote<(x: number) => Promise<number>>
  readonly echoResident: Remote<(x: number) => Promise<number>>
  readonly pid: number
  /** Ends the daemon and starts it again in the same home; returns milliseconds. */
  restart(): Promise<number>
}

export async function startSubject(natsServer: string): Promise<Subject> {
  const folder = mkdtempSync(join(tmpdir(), "bunhouse-bench-"))
  const home = join(folder, "home")
  const environment = { ...process.env, BUNHOUSE_HOME: home, BUNHOUSE_NATS_SERVER: natsServer }
  let program = await startDaemon(environment, "0")
  const url = program.matched
  const token = (await Bun.file(join(home, "token")).text()).trim()
  const here = new Daemon({ url, token }, environment)
  const resident = new Daemon({ url, token, blocking: "resident" }, environment)
  const echo = await fn(echoed, { name: "echo" }).to(here)
  const echoResident = await resident.get<typeof echoed>("default/echo")
  return {
    here,
    resident,
    echo,
    echoResident,
    get pid() {
      return program.pid
    },
    async restart() {
      const start = performance.now()
      await program.stop()
      program = await startDaemon(environment, new URL(url).port)
      return performance.now() - start
    },
    async [Symbol.asyncDispose]() {
      here.close()
      resident.close()
      await program.stop()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

async function echoed(x: number): Promise<number> {
  return x
}

function startDaemon(
  environment: Readonly<Record<string, string | undefined>>,
  port: string,
): Promise<Program> {
  const entry = join(import.meta.dir, "../server/main.ts")
  return startProgram([process.execPath, entry], /"url":"([^"]+)"/, {
    ...environment,
    BUNHOUSE_PORT: port,
  })
}
