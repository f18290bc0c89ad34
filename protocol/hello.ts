import { Fields, parseJson } from "./fields.ts"

/** What a daemon says first on every connection, and before the reply to a call by `POST /v1/frames`. */
export interface DaemonHello {
  readonly protocol: number
  readonly version: string
  /** Tells this life of the daemon from any other. */
  readonly bootId: string
}

export function readHello(payload: Uint8Array): DaemonHello {
  const text = Buffer.from(payload).toString()
  const fields = new Fields("the daemon's hello", parseJson("the daemon's hello", text))
  return {
    protocol: fields.integer("protocol", 0, 0xffff),
    version: fields.text("version"),
    bootId: fields.text("bootId"),
  }
}

/** The public id of a call: unique over all lives of all daemons. */
export function callIdOf(bootId: string, serial: number): string {
  return `${bootId}-${serial.toString(36)}`
}
