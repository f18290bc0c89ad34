import { accessSync, constants, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { BunhouseError } from "../protocol/errors.ts"
import { type ProgramEnd, runProgram } from "./program.ts"
import { reasonOf } from "./reason.ts"

export type NatsServerOrigin = "BUNHOUSE_NATS_SERVER" | "PATH" | "cache" | "release" | "package"

/** A nats-server that was run once and can be used. */
export interface NatsServerBinary {
  readonly path: string
  /** Such as "2.9.10". */
  readonly version: string
  readonly origin: NatsServerOrigin
  /** It was run by an earlier start, not by this one (proof.ts). */
  readonly isRemembered?: boolean
}

/** Older ones lack what the store needs (the KV bucket's direct reads). */
export const OLDEST_NATS_SERVER = "2.9.0"

/**
 * Runs the program once with `--version`: a file of another machine, a broken download or another program of that
 * name is found out here and not when the broker is needed. Throws UNAVAILABLE with the reason.
 */
export async function proveNatsServer(
  path: string,
  origin: NatsServerOrigin,
): Promise<NatsServerBinary> {
  checkExecutable(path)
  const end = await runVersion(path)
  if (!end.isSuccess) throw unusable(path, `\`--version\` failed: ${end.reason}`)
  const version = /^nats-server: v?(\d+\.\d+\.\d+\S*)/m.exec(end.output)?.[1]
  if (version === undefined) throw unusable(path, "it does not say that it is nats-server")
  if (Bun.semver.order(version, OLDEST_NATS_SERVER) < 0) {
    throw unusable(path, `it is version ${version}, and ${OLDEST_NATS_SERVER} or newer is needed`)
  }
  return { path, version, origin }
}

const VERSION_TIMEOUT_MS = 5_000

async function runVersion(path: string): Promise<ProgramEnd> {
  const options = { timeoutMs: VERSION_TIMEOUT_MS, environment: {}, folder: tmpdir() }
  for (let attempt = 1; ; attempt++) {
    try {
      return await runProgram([path, "--version"], options)
    } catch (error) {
      // A file just written may still be open for writing in a child that another spawn forked a moment ago.
      const isBusy = error instanceof Error && "code" in error && error.code === "ETXTBSY"
      if (!isBusy || attempt === 20) throw unusable(path, reasonOf(error))
      await Bun.sleep(10)
    }
  }
}

function checkExecutable(path: string): void {
  let isFile: boolean
  try {
    isFile = statSync(path).isFile()
    accessSync(path, constants.X_OK)
  } catch (error) {
    throw unusable(path, reasonOf(error))
  }
  if (!isFile) throw unusable(path, "it is not a file")
}

function unusable(path: string, reason: string): BunhouseError {
  return new BunhouseError("UNAVAILABLE", `${path} cannot be used: ${reason}`)
}
