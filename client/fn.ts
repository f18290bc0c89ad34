import {
  FUNCTION_KINDS,
  type FunctionInfo,
  type FunctionKind,
  type FunctionSpec,
  type Place,
  versionOf,
} from "../protocol/function-spec.ts"
import { BunhouseError } from "../protocol/errors.ts"
import { checkName } from "../protocol/names.ts"
import { callSite } from "./code/call-site.ts"
import { codeOf } from "./code/code-of.ts"
import { type AnyFunction, kindOf } from "./code/kind.ts"
import { nameFor } from "./code/source.ts"
import { Daemon } from "./daemon.ts"
import { deploy, lookUp } from "./deploy.ts"
import type { Env } from "./env.ts"
import { checkKnown } from "./known-options.ts"
import type { Link } from "./link.ts"
import { warn } from "./notices.ts"
import { makeRemote, type Remote } from "./remote.ts"

export interface FnOptions {
  /** Name under which the env knows the function. Default: the function's own name. */
  readonly name?: string
  /** Default: read from the function. A plain function that returns a promise is best sent as `async`. */
  readonly kind?: FunctionKind
  /** Where it runs. Default `auto`: async functions and generators on the env's loop, sync ones on a thread. */
  readonly run?: "auto" | Place
  /**
   * Values to carry along, by the name of the variable that the function captures: `with: { size }`. They stand for every
   * use of the name in the function's file, are copied when the function is sent, and cannot be assigned.
   */
  readonly with?: Readonly<Record<string, unknown>>
}

/** Where a function can be sent. A daemon means its env `default`. */
export type Target = Daemon | Env

/** A function that is about to be sent. */
export interface Sendable<F extends AnyFunction> {
  /**
   * Sends the function, unless the env has this very version of it. Resolves when the function can be called.
   *
   * @throws {BunhouseError} FUNCTION_NOT_SENDABLE when it needs something that cannot travel, with name, file and line;
   *   DEPLOY_FAILED when the env cannot load it; ENV_FAILED, NO_DAEMON and the like.
   */
  to(target: Target): Promise<Remote<F>>
}

/**
 * Takes a function to be sent: `const remote = await fn(f).to(here)`.
 *
 * @throws {BunhouseError} FUNCTION_NOT_SENDABLE for what is no function of yours: native, bound, a class.
 */
export function fn<F extends AnyFunction>(f: F, options: FnOptions = {}): Sendable<F> {
  const site = callSite(fn)
  checkOptions(options)
  const kind = kindOf(f)
  const name = nameFor(f, options.name)
  checkName("function", name)
  const declared = options.kind ?? kind
  const run = options.run === undefined || options.run === "auto" ? placeOf(declared) : options.run
  return {
    async to(target) {
      const env = target instanceof Daemon ? target.env() : target
      const link = await env.describe()
      const code = async () => {
        const { with: values } = options
        const luggage = { external: await env.packages(), ...(values && { with: values }) }
        return codeOf(f, site, luggage)
      }
      const [sent, old] = await Promise.all([code(), lookUp(link, { env: env.name, name })])
      const spec: FunctionSpec = { env: env.name, name, kind: declared, run, code: sent.code }
      const info = old?.version === versionOf(spec) ? old : await send(link, spec, sent.notices)
      return makeRemote<F>({ link, info, local: f, options: {} })
    },
  }
}

async function send(
  link: Link,
  spec: FunctionSpec,
  notices: readonly string[],
): Promise<FunctionInfo> {
  const { kind, run, code } = spec
  for (const line of notices) warn(line)
  return deploy(link, "function", spec, { kind, run, code })
}

function placeOf(kind: FunctionKind): Place {
  return kind === "async" || kind === "asyncGenerator" ? "loop" : "thread"
}

const KNOWN = { name: true, kind: true, run: true, with: true } as const

function checkOptions(options: FnOptions): void {
  checkKnown("fn()", options, KNOWN)
  const { kind, run } = options
  const kinds: unknown[] = [undefined, ...FUNCTION_KINDS]
  if (!kinds.includes(kind)) {
    throw new BunhouseError(
      "INVALID_ARGUMENT",
      `expected kind to be one of ${FUNCTION_KINDS.join(", ")}, got ${String(kind)}`,
    )
  }
  checkPlace(run)
}

/** Throws INVALID_ARGUMENT for a `run` that is none. */
export function checkPlace(run: unknown): void {
  const places: unknown[] = [undefined, "auto", "loop", "thread"]
  if (!places.includes(run)) {
    throw new BunhouseError(
      "INVALID_ARGUMENT",
      `expected run to be "auto", "loop" or "thread", got ${String(run)}`,
    )
  }
}
