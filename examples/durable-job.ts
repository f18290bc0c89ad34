/**
 * A durable job survives what kills its env process, the broker and the daemon.
 *
 *     bun examples/durable-job.ts
 *
 * It starts a daemon in a folder of its own, starts a job of ten steps there, and kills one part after the other with
 * SIGKILL while the job runs. The job notes each step that it has done, so that the next attempt goes on from there: a
 * durable job runs at least once, and it is the function that makes twice as good as once.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { connect, fn } from "bunhouse"

const folder = mkdtempSync(join(tmpdir(), "bunhouse-durable-job-"))
const environment = { BUNHOUSE_PORT: "0", ...process.env, BUNHOUSE_HOME: join(folder, "home") }
process.env["BUNHOUSE_HOME"] = environment.BUNHOUSE_HOME
const STEPS = 10

try {
  await bunhouse("start")
  const here = connect()
  const report = await fn(async function report(notes: string, steps: number) {
    const { context } = await import("bunhouse")
    const { readFile, appendFile } = await import("node:fs/promises")
    const { progress, signal } = context()
    const done = (await readFile(notes, "utf8").catch(() => "")).length
    for (let step = done; step < steps; step++) {
      await Bun.sleep(300)
      // The daemon may have given this attempt up (the broker was lost), and another one goes on.
      signal.throwIfAborted()
      await appendFile(notes, ".")
      progress((step + 1) / steps, `step ${step + 1} of ${steps}`)
    }
    return { steps, stepsOfTheLastAttempt: steps - done, pid: process.pid }
  }).to(here)

  const durable = { id: "monthly-report", durable: true, attempts: 10 }
  const { id } = await report.with({ job: durable }).start(join(folder, "notes"), STEPS)
  console.log(`started the job ${id}`)

  await untilStep(id, 2)
  const { broker, envs, pid } = await here.status()
  kill("env process", envs[0]?.pid)
  await untilStep(id, 4)
  kill("broker", broker.pid)
  await untilStep(id, 6)
  kill("daemon", pid)
  await bunhouse("start")

  // Any process may ask for the result, now or tomorrow.
  console.log("the result:", await connect().job(id).result())
  const { attempts, state } = await connect().job(id).status()
  console.log(`the job ${id} has ${state} in ${attempts} attempts`)
} finally {
  await bunhouse("stop", "--timeout", "0")
  rmSync(folder, { recursive: true, force: true })
}

async function untilStep(job: string, step: number): Promise<void> {
  for (;;) {
    const { progress, state } = await connect().job(job).status()
    if (state === "running" && (progress?.fraction ?? 0) * STEPS >= step) return
    if (state === "failed" || state === "succeeded")
      throw new Error(`the job has ${state} too soon`)
    await Bun.sleep(50)
  }
}

function kill(what: string, pid: number | undefined): void {
  if (pid === undefined) throw new Error(`there is no ${what}`)
  process.kill(pid, "SIGKILL")
  console.log(`killed the ${what} (${pid})`)
}

async function bunhouse(...words: string[]): Promise<void> {
  const program = join(import.meta.dir, "../cli/main.ts")
  const child = Bun.spawn([process.execPath, program, ...words], {
    env: environment,
    stdio: ["ignore", "ignore", "inherit"],
  })
  if ((await child.exited) !== 0) throw new Error(`bunhouse ${words.join(" ")} failed`)
}
