import { connectBroker } from "../broker/connection.ts"
import { runInside } from "../client/context.ts"
import { readEnvBootstrap } from "../protocol/env-control.ts"
import { parseJson } from "../protocol/fields.ts"
import { rotateLog } from "../protocol/log-rotation.ts"
import { Host } from "./host.ts"
import { captureOutput } from "./output/capture.ts"
import { STDERR } from "./output/log-writer.ts"
import { outliveLateErrors } from "./late-errors.ts"
import { provideLibrary } from "./provide-library.ts"

/**
 * Entry of an env process. The daemon writes one line to stdin and keeps it open: when stdin ends, the daemon is gone,
 * and so is this process.
 */
async function main(): Promise<void> {
  const lines = Bun.stdin.stream().pipeThrough(new TextDecoderStream()).getReader()
  let text = ""
  while (!text.includes("\n")) {
    const { done, value } = await lines.read()
    if (done) return
    text += value
  }
  const bootstrap = readEnvBootstrap(parseJson("the first line on stdin", text))
  void endWith(lines)
  outliveLateErrors()
  process.on("SIGTERM", () => process.exit(0))
  const { broker, env, incarnation } = bootstrap
  const connection = await connectBroker({
    ...broker,
    name: `env ${env} ${incarnation}`,
    inboxPrefix: bootstrap.subjects.replies,
  })
  // Into the env's log. What it means for calls, the daemon decides: it sees the same connection break.
  connection.onError((error) => process.stderr.write(`bunhouse: broker: ${error.message}\n`))
  const host = new Host(bootstrap, connection)
  captureOutput(host.output.take)
  setInterval(() => rotateLog(STDERR, bootstrap.logFile), LOG_LOOK_MS).unref()
  runInside({
    place: "env loop",
    current: () => host.loop.current(),
    way: host.transport,
    token: bootstrap.token,
  })
  provideLibrary()
  await host.start()
}

/** Threads and programs of functions write to the log, too. */
const LOG_LOOK_MS = 1_000

async function endWith(lines: { read(): Promise<{ done: boolean }> }): Promise<void> {
  while (!(await lines.read()).done);
  process.exit(0)
}

// Not awaited: a bundle with bytecode cannot.
main().catch((error: unknown) => {
  process.stderr.write(`bunhouse: this env process cannot start: ${Bun.inspect(error)}\n`)
  process.exit(1)
})
