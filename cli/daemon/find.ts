import { existsSync, rmSync } from "node:fs"
import { type Address, readDaemonRecord, resolveAddress } from "../../client/settings.ts"
import { BunhouseError } from "../../protocol/errors.ts"
import {
  type DaemonRecord,
  type Environment,
  type HomePaths,
  homePaths,
  homeRoot,
} from "../../protocol/home.ts"
import { lockHolder } from "./lock-holder.ts"
import { isDaemonProcess, type ProcessIdentity } from "./process.ts"

/**
 * What is known of the daemon of a home. The record is a hint and the system decides: a daemon that was killed leaves
 * its record behind, and its pid may belong to a stranger by now.
 */
export type Found =
  /** It runs and can be asked. */
  | { readonly kind: "listed"; readonly record: DaemonRecord }
  /** It holds the home without a record: it is starting, ending, or its record was lost. */
  | { readonly kind: "unlisted"; readonly process: ProcessIdentity }
  /** There is none. `leftover` says what a record that is there is worth. */
  | { readonly kind: "none"; readonly leftover: "gone" | "unreadable" | undefined }

export function findDaemon(home: HomePaths): Found {
  const record = readDaemonRecord(home.daemon)
  if (record !== undefined && isDaemonProcess(record)) return { kind: "listed", record }
  const holder = lockHolder(home.lock)
  if (holder !== undefined) return { kind: "unlisted", process: holder }
  if (record !== undefined) return { kind: "none", leftover: "gone" }
  return { kind: "none", leftover: existsSync(home.daemon) ? "unreadable" : undefined }
}

/** Takes a worthless record away. Looks once more: a daemon may have come up in the meantime. */
export function removeLeftover(home: HomePaths): void {
  const found = findDaemon(home)
  if (found.kind === "none" && found.leftover !== undefined) rmSync(home.daemon, { force: true })
}

/**
 * Where commands send requests: BUNHOUSE_URL, else the daemon of this home. Unlike the library it asks nobody when no
 * daemon of this home runs: who listens at the default port then is a stranger, and must not be told the token.
 *
 * @throws {BunhouseError} NO_DAEMON, and what `resolveAddress` throws.
 */
export function daemonAddress(environment: Environment): Address {
  if ((environment["BUNHOUSE_URL"] ?? "") !== "") return resolveAddress({}, environment)
  const home = homePaths(homeRoot(environment))
  const found = findDaemon(home)
  if (found.kind === "listed") return resolveAddress({ url: found.record.url }, environment)
  const message =
    found.kind === "none"
      ? `no daemon is running in ${home.root}; start one with \`bunhouse start\``
      : `the daemon in ${home.root} (process ${found.process.pid}) is starting or stopping; wait for it with \`bunhouse start\``
  throw new BunhouseError("NO_DAEMON", message)
}
