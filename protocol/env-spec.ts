import { Fields } from "./fields.ts"
import { ENV_CONCURRENCY_DEFAULT, ENV_QUEUE_DEFAULT, ENV_THREADS_MAX_DEFAULT } from "./limits.ts"

/** What a user says about an env. Every field is optional; an env that nobody described has the defaults. */
export interface EnvSpecInput {
  /** Async calls that run at the same time, 1 to 1,000,000. Default 16,384. */
  readonly concurrency?: number
  readonly threads?: {
    /** Threads for sync functions, 1 to 1,024. Default 64. */
    readonly max?: number
  }
  /** Calls that may wait for a place, 0 to 1,000,000; further ones are refused. Default 65,536. */
  readonly queue?: number
}

/** A spec with nothing left open. */
export interface EnvSpec {
  readonly concurrency: number
  readonly threads: { readonly max: number }
  readonly queue: number
}

/** Reads a spec from a user or from the wire. Throws INVALID_ARGUMENT with the field. */
export function readEnvSpec(env: string, input: unknown): EnvSpec {
  const fields = new Fields(`the spec of env ${JSON.stringify(env)}`, input)
  const spec: EnvSpec = {
    concurrency: fields.integer("concurrency", 1, 1_000_000, ENV_CONCURRENCY_DEFAULT),
    threads: fields.optional("threads", readThreads) ?? { max: ENV_THREADS_MAX_DEFAULT },
    queue: fields.integer("queue", 0, 1_000_000, ENV_QUEUE_DEFAULT),
  }
  fields.done()
  return spec
}

export function sameEnvSpec(a: EnvSpec, b: EnvSpec): boolean {
  return Bun.deepEquals(a, b)
}

function readThreads(fields: Fields): EnvSpec["threads"] {
  const threads = { max: fields.integer("max", 1, 1_024, ENV_THREADS_MAX_DEFAULT) }
  fields.done()
  return threads
}
