import { join } from "node:path"
import { ERROR_CODES, type ErrorCode, type Ran } from "../../protocol/errors.ts"
import { splitAddress } from "../../protocol/names.ts"
import { caught } from "./caught.ts"
import { ask, type Ask, pathOf } from "./http.ts"
import type { Stack } from "./stack.ts"
import { until } from "./until.ts"
import { sendSignal } from "./processes.ts"

/** The three ways to speak to a daemon, and what one sees of an error on each. */
export const WAYS = ["library", "http", "cli"] as const
export type Way = (typeof WAYS)[number]

/** An error as it was seen: with the HTTP status or the exit code where there is one. */
export interface Sighting {
  readonly code: unknown
  readonly ran: unknown
  readonly status?: number
  readonly exit?: number
}
export type Sightings = Partial<Record<Way, Sighting>>

/** What the table of codes says should be seen. */
export function expected(way: Way, code: ErrorCode, ran: Ran): Sighting {
  const { status, exit } = ERROR_CODES[code]
  return { code, ran, ...(way === "http" && { status }), ...(way === "cli" && { exit }) }
}

interface CallOf {
  /** `env/function` */
  readonly to: string
  readonly args?: readonly unknown[]
  readonly timeoutMs?: number
  /** What is done once the call runs. */
  readonly meanwhile?: (() => unknown) | undefined
}

/** The same call in each of `ways`, one after the other. */
export async function calls(
  stack: Stack,
  call: CallOf,
  ways: readonly Way[] = WAYS,
): Promise<Sightings> {
  const seen: Sightings = {}
  for (const way of ways) {
    const ended = CALLS[way](stack, call)
    if (call.meanwhile !== undefined) {
      await until(() => isOneRunning(stack), `the call by ${way} to run`)
      await call.meanwhile()
    }
    seen[way] = await ended
  }
  return seen
}

export async function library(work: Promise<unknown> | (() => unknown)): Promise<Sighting> {
  const { code, ran } = await caught(work)
  return { code, ran }
}

export async function http(
  stack: Stack,
  method: string,
  path: string,
  more: Ask = {},
): Promise<Sighting> {
  const { status, json } = await ask(stack, method, path, more)
  return { ...errorIn(json), status }
}

/** `bunhouse … --json`. */
export async function cli(
  stack: Stack,
  words: readonly string[],
  variables: Readonly<Record<string, string>> = {},
): Promise<Sighting> {
  await using program = Bun.spawn([process.execPath, PROGRAM, ...words, "--json"], {
    env: {
      PATH: process.env["PATH"] ?? "",
      BUNHOUSE_HOME: stack.home,
      BUNHOUSE_URL: stack.url,
      BUNHOUSE_TOKEN: stack.token,
      ...variables,
    },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "ignore",
  })
  const said = await program.stdout.text()
  return { ...errorIn(JSON.parse(said)), exit: await program.exited }
}

const CALLS: Readonly<Record<Way, (stack: Stack, call: CallOf) => Promise<Sighting>>> = {
  library: ({ here }, { to, args = [], timeoutMs = 30_000 }) =>
    library(here.get(to).then((remote) => remote.with({ timeoutMs }).async(...args))),
  http: (stack, { to, args = [], timeoutMs = 30_000 }) => {
    const { env, function: fn } = splitAddress(to)
    const headers = { "bunhouse-timeout-ms": String(timeoutMs) }
    return http(stack, "POST", pathOf(env, fn, "/call"), { body: { args }, headers })
  },
  cli: (stack, { to, args = [], timeoutMs = 30_000 }) => {
    const words = args.map((arg) => JSON.stringify(arg))
    return cli(stack, ["call", to, ...words, "--timeout", `${timeoutMs}ms`])
  },
}

export async function killBroker(stack: Stack): Promise<void> {
  sendSignal((await stack.here.status()).broker.pid, "SIGKILL")
}

export async function isOneRunning(stack: Stack): Promise<boolean> {
  const { envs } = await stack.here.status()
  return envs.reduce((sum, { running }) => sum + running, 0) === 1
}

function errorIn(answer: unknown): { code: unknown; ran: unknown } {
  const { code, ran } = Object(Object(answer).error)
  return { code, ran }
}

const PROGRAM = join(import.meta.dir, "../../cli/main.ts")
