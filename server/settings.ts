import { BunhouseError } from "../protocol/errors.ts"
import {
  DEFAULT_HOST,
  DEFAULT_PORT,
  type Environment,
  homeRoot,
  readHost,
} from "../protocol/home.ts"
import { OBJECTS_BYTES_MAX_DEFAULT } from "../protocol/limits.ts"

/** What a daemon is started with; resolved once, nothing is optional inside. */
export interface ServerSettings {
  readonly home: string
  /** A name or an address, which has no brackets here. */
  readonly host: string
  /** Further names under which clients may address the daemon, lower case. */
  readonly hosts: readonly string[]
  /** 0 lets the system choose. */
  readonly port: number
  /** Given by the user; otherwise the token file of the home counts. */
  readonly token: string | undefined
  /** Bytes that all objects together may take. */
  readonly objectsBytesMax: number
  /** All variables of the daemon's own environment; a few are passed on to env processes. */
  readonly environment: Environment
}

/** Options win over environment variables, these over defaults. Throws INVALID_ARGUMENT. */
export function readSettings(
  environment: Environment,
  options: { readonly host?: string | undefined; readonly port?: string | undefined } = {},
): ServerSettings {
  return {
    home: homeRoot(environment),
    host: readHost(
      "BUNHOUSE_HOST",
      options.host ?? text(environment, "BUNHOUSE_HOST") ?? DEFAULT_HOST,
    ),
    hosts: readHosts(text(environment, "BUNHOUSE_HOSTS")),
    port: readPort(options.port ?? text(environment, "BUNHOUSE_PORT")),
    token: readToken(text(environment, "BUNHOUSE_TOKEN")),
    objectsBytesMax:
      readBytes(environment, "BUNHOUSE_OBJECTS_BYTES_MAX") ?? OBJECTS_BYTES_MAX_DEFAULT,
    environment,
  }
}

function readHosts(given: string | undefined): string[] {
  const names = (given ?? "").split(",").map((name) => name.trim().toLowerCase())
  return names.filter((name) => {
    if (name === "" || /^([a-z0-9.-]+|\[[0-9a-f:.]+\])$/.test(name)) return name !== ""
    const message = `expected BUNHOUSE_HOSTS to be names separated by commas, without ports, got ${JSON.stringify(name)}`
    throw new BunhouseError("INVALID_ARGUMENT", message)
  })
}

function readPort(given: string | undefined): number {
  if (given === undefined) return DEFAULT_PORT
  const port = Number(given)
  if (/^\d+$/.test(given) && port <= 65_535) return port
  throw new BunhouseError(
    "INVALID_ARGUMENT",
    `expected the port (BUNHOUSE_PORT, --port) to be from 0 to 65535, got ${JSON.stringify(given)}`,
  )
}

function readToken(given: string | undefined): string | undefined {
  if (given === undefined || /^[\x21-\x7e]{16,512}$/.test(given)) return given
  throw new BunhouseError(
    "INVALID_ARGUMENT",
    "expected BUNHOUSE_TOKEN to be 16 to 512 printable characters without spaces",
  )
}

function readBytes(environment: Environment, variable: string): number | undefined {
  const given = text(environment, variable)
  if (given === undefined) return undefined
  const bytes = Number(given)
  if (/^\d+$/.test(given) && Number.isSafeInteger(bytes)) return bytes
  throw new BunhouseError(
    "INVALID_ARGUMENT",
    `expected ${variable} to be a number of bytes, got ${JSON.stringify(given)}`,
  )
}

function text(environment: Environment, name: string): string | undefined {
  const value = environment[name]
  return value === "" ? undefined : value
}
