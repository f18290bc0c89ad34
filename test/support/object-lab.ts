import { jetstreamManager } from "@nats-io/jetstream"
import { innerConnection } from "../../broker/nats-connection.ts"
import { type ObjectStore, openObjects } from "../../broker/object-store.ts"
import type { PutOptions, UploadRequest } from "../../protocol/object.ts"
import { Objects } from "../../server/objects/objects.ts"
import { startBroker } from "./broker.ts"

/** The objects of a daemon on a real broker, with a clock that a test moves. */
export interface ObjectLab extends AsyncDisposable {
  /** Of the daemon that runs now. */
  readonly objects: Objects
  /** What was logged. */
  readonly logged: string[]
  pass(ms: number): void
  /** The daemon's successor, on the same broker. */
  restart(): void
  /** What is underneath. */
  store(): Promise<ObjectStore>
  /** Chunks and records in the store. */
  messages(): Promise<number>
  text(key: string): Promise<string>
}

export async function startObjectLab(bytesMax = 1_000_000_000): Promise<ObjectLab> {
  const stack = await startBroker()
  const connection = await stack.connect()
  const logged: string[] = []
  let now = Date.parse("2026-01-01T00:00:00Z")
  const make = (): Objects => {
    return new Objects({
      open: (problem) => openObjects(connection, { space: stack.space, problem }),
      bytesMax,
      now: () => now,
      log: (event, facts) => void logged.push(`${event} ${JSON.stringify(facts)}`),
    })
  }
  let objects = make()
  return {
    get objects() {
      return objects
    },
    logged,
    pass(ms) {
      now += ms
    },
    restart() {
      objects.close()
      objects = make()
    },
    store: () => openObjects(connection, { space: stack.space, problem: () => {} }),
    async messages() {
      const { streams } = await jetstreamManager(innerConnection(connection).nats)
      return (await streams.info(`OBJ_bunhouse-${stack.space}-objects`)).state.messages
    },
    async text(key) {
      const { chunks, release } = await objects.read(key)
      const parts: Uint8Array[] = []
      try {
        for await (const chunk of chunks) parts.push(chunk)
      } finally {
        release()
      }
      return Buffer.concat(parts).toString()
    },
    async [Symbol.asyncDispose]() {
      objects.close()
      await stack[Symbol.asyncDispose]()
    },
  }
}

/** How a test puts: as bytes, for a second, unless it says otherwise. */
export function asked(options: Partial<UploadRequest> = {}): UploadRequest & PutOptions {
  return { type: "bytes", name: undefined, ttlMs: 1_000, bytes: 0, sha256: undefined, ...options }
}

export function sha256Of(bytes: Uint8Array | string): string {
  return new Bun.CryptoHasher("sha256").update(bytes).digest("hex")
}
