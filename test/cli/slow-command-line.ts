import { existsSync, writeFileSync } from "node:fs"
import { natsServer } from "../support/nats-server.ts"
import { writeScript } from "../support/script.ts"
import { until } from "../support/until.ts"
import { type CommandLine, commandLine } from "./command-line.ts"

/** A command line whose daemon stays in its start until `goOn()`: its nats-server waits for a file. */
export interface SlowCommandLine extends CommandLine {
  isStarting(): Promise<unknown>
  goOn(): void
}

export async function slowCommandLine(): Promise<SlowCommandLine> {
  const { path } = await natsServer()
  const cli = await commandLine((folder) => ({
    BUNHOUSE_NATS_SERVER: writeScript(
      folder.join("nats-server"),
      `touch ${folder.join("starting")}`,
      `while [ ! -e ${folder.join("gate")} ]; do sleep 0.02; done`,
      `exec ${path} "$@"`,
    ),
  }))
  return {
    ...cli,
    async [Symbol.asyncDispose]() {
      writeFileSync(cli.folder.join("gate"), "")
      await cli[Symbol.asyncDispose]()
    },
    isStarting: () => until(() => existsSync(cli.folder.join("starting")), "the start"),
    goOn: () => writeFileSync(cli.folder.join("gate"), ""),
  }
}
