import { jetstream } from "@nats-io/jetstream"
import { Objects } from "./objects.ts"
import type { BrokerConnection } from "./connection.ts"
import { innerConnection } from "./nats-connection.ts"
import { operationsOn } from "./operations.ts"
import { Records } from "./records.ts"

/**
 * What a daemon keeps in JetStream, so that a restart finds it and a cluster shares it: envs and functions as records,
 * code and shipped folders as objects. Everything is named after the daemon's space. All operations reject with UNAVAILABLE, at once when
 * the broker goes away, and may be repeated.
 */
export interface Store {
  readonly envs: {
    all(): Promise<Map<string, unknown>>
    put(name: string, value: unknown): Promise<void>
    delete(name: string): Promise<void>
  }
  readonly functions: {
    all(): Promise<unknown[]>
    put(env: string, name: string, record: unknown): Promise<void>
    delete(env: string, name: string): Promise<void>
  }
  readonly code: {
    put(version: string, text: string): Promise<void>
    /** Undefined where there is none, or where it is damaged; then it can be put again. */
    get(version: string): Promise<string | undefined>
    versions(): Promise<string[]>
    /** Unless it is wanted by then, which is asked when no `put` of it is under way. */
    delete(version: string, isWanted: () => boolean): Promise<void>
  }
  /** Shipped folders. */
  readonly files: {
    put(version: string, pack: Uint8Array): Promise<void>
    /** Undefined where there is none, or where it is damaged; then it can be put again. */
    get(version: string): Promise<Uint8Array | undefined>
    /** Deletes all others. */
    keep(versions: ReadonlySet<string>): Promise<void>
  }
}

export interface StoreOptions {
  /** The daemon's token in subjects, here in the names of buckets: letters, digits, `_` and `-`. */
  readonly space: string
  /** Gets a line about everything that cannot be read and is left out. */
  readonly problem: (line: string) => void
}

export async function openStore(
  connection: BrokerConnection,
  options: StoreOptions,
): Promise<Store> {
  const inner = innerConnection(connection)
  const parts = {
    jetstream: jetstream(inner.nats),
    operate: operationsOn(inner),
    problem: options.problem,
  }
  const messageBytesMax = connection.maxMessageBytes
  const bucket = (what: string) => `bunhouse-${options.space}-${what}`
  const [envs, functions, code, files] = await Promise.all([
    Records.open({ ...parts, bucket: bucket("envs") }),
    Records.open({ ...parts, bucket: bucket("functions") }),
    Objects.open({ ...parts, messageBytesMax, bucket: bucket("code"), what: "code" }),
    Objects.open({ ...parts, messageBytesMax, bucket: bucket("files"), what: "files" }),
  ])
  return { envs: envStore(envs), functions: functionStore(functions), code: codeStore(code), files }
}

function codeStore(code: Objects): Store["code"] {
  return {
    put: (version, text) => code.put(version, text),
    get: async (version) => (await code.get(version))?.toString(),
    versions: () => code.versions(),
    delete: (version, isWanted) => code.delete(version, isWanted),
  }
}

function envStore(records: Records): Store["envs"] {
  return {
    async all() {
      const envs = await records.all()
      // A record of this bucket has one name: its key has one part.
      return new Map(
        envs.flatMap(({ names, value }) => names.map((name) => [name, value] as const)),
      )
    },
    put: (name, value) => records.put([name], value),
    delete: (name) => records.delete([name]),
  }
}

function functionStore(records: Records): Store["functions"] {
  return {
    all: async () => (await records.all()).map(({ value }) => value),
    put: (env, name, value) => records.put([env, name], value),
    delete: (env, name) => records.delete([env, name]),
  }
}
