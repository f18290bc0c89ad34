import { join } from "node:path"
import type { NatsServerBinary } from "../../broker/binary.ts"
import { findNatsServer } from "../../broker/find.ts"

/** The nats-server that tests run with; found, or fetched into the repository's `.cache`, once per test process. */
export function natsServer(): Promise<NatsServerBinary> {
  found ??= findNatsServer({
    environment: process.env,
    cache: join(import.meta.dir, "..", "..", ".cache"),
    progress: (line) => console.error(line),
  })
  return found
}

let found: Promise<NatsServerBinary> | undefined
