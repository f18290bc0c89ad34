import type { StoredObject } from "../../broker/object-store.ts"
import { BunhouseError } from "../../protocol/errors.ts"
import { EXPIRED_REMEMBERED_MAX } from "../../protocol/limits.ts"
import { type ObjectInfo, type ObjectType, readObjectId } from "../../protocol/object.ts"
import { type Holds, holdsUntil, isHeld, lasting, NO_HOLDS, withoutName } from "./holds.ts"

/** One object that the daemon has. */
export interface ObjectEntry {
  readonly stored: Omit<StoredObject, "facts">
  readonly type: ObjectType
  readonly createdAt: number
  holds: Holds
  /** Downloads of it that are underway. */
  readers: number
}

/**
 * Which objects there are, by id and by name. Only what the store has confirmed stands here.
 *
 * Invariants:
 * X1. A name is held by at most one object.
 * X2. What has expired is not found, whether it was swept already or not, and the refusal says so.
 */
export class ObjectIndex {
  readonly #byId = new Map<string, ObjectEntry>()
  readonly #byName = new Map<string, ObjectEntry>()
  /** When what is gone expired, by id or name; the oldest are forgotten first. */
  readonly #expired = new Map<string, number>()
  readonly #now: () => number
  #bytes = 0

  constructor(now: () => number) {
    this.#now = now
  }

  get entries(): Iterable<ObjectEntry> {
    return this.#byId.values()
  }

  get size(): number {
    return this.#byId.size
  }

  /** Bytes of all objects. */
  get bytes(): number {
    return this.#bytes
  }

  /** What has not expired. */
  all(): ObjectInfo[] {
    const now = this.#now()
    return [...this.#byId.values()]
      .filter(({ holds }) => holdsUntil(holds) > now)
      .map((entry) => this.info(entry))
  }

  /** Whether it has expired or not. */
  get(id: string): ObjectEntry | undefined {
    return this.#byId.get(id)
  }

  /** Throws NOT_FOUND; it says whether there was one. */
  find(key: string): ObjectEntry {
    const isName = readObjectId(key) === undefined
    const entry = (isName ? this.#byName : this.#byId).get(key)
    if (entry !== undefined) {
      const until = isName ? entry.holds.names.get(key) : holdsUntil(entry.holds)
      if (until !== undefined && until > this.#now()) return entry
      throw expired(key, until ?? 0)
    }
    const expiredAt = this.#expired.get(key)
    if (expiredAt !== undefined) throw expired(key, expiredAt)
    throw new BunhouseError("NOT_FOUND", `there is no object ${JSON.stringify(key)}`)
  }

  named(name: string): ObjectEntry | undefined {
    return this.#byName.get(name)
  }

  /** A name that another object has is taken from it (X1). */
  add(entry: ObjectEntry): void {
    for (const name of entry.holds.names.keys()) {
      const other = this.#byName.get(name)
      if (other !== undefined) this.hold(other, withoutName(other.holds, name))
    }
    this.#byId.set(entry.stored.name, entry)
    this.#bytes += entry.stored.bytes
    this.hold(entry, entry.holds)
  }

  /** Changes who holds an object. A name that another object had must have been taken from it before (X1). */
  hold(entry: ObjectEntry, holds: Holds): void {
    for (const name of entry.holds.names.keys()) this.#byName.delete(name)
    entry.holds = holds
    for (const name of holds.names.keys()) {
      this.#byName.set(name, entry)
      this.#expired.delete(name)
    }
    this.#expired.delete(entry.stored.name)
  }

  /** Remembers of what has expired that it did. */
  remove(entry: ObjectEntry): void {
    const { holds, stored } = entry
    const expiredAt = holdsUntil(holds)
    this.hold(entry, NO_HOLDS)
    this.#byId.delete(stored.name)
    this.#bytes -= stored.bytes
    this.#rememberExpired(holds.names)
    if (expiredAt <= this.#now()) this.#remember(stored.name, expiredAt)
  }

  /** Forgets the names whose time is over. True when the time of the whole object is; then nothing is changed. */
  lapse(entry: ObjectEntry): boolean {
    const { holds } = entry
    const left = lasting(holds, this.#now())
    if (!isHeld(left)) return true
    if (left.names.size < holds.names.size) {
      this.hold(entry, left)
      this.#rememberExpired(holds.names)
    }
    return false
  }

  info(entry: ObjectEntry): ObjectInfo {
    const { stored, type, createdAt } = entry
    const { names } = lasting(entry.holds, this.#now())
    const until = holdsUntil(entry.holds)
    return {
      object: stored.name,
      bytes: stored.bytes,
      ...(until !== Number.POSITIVE_INFINITY && { expiresAt: new Date(until).toISOString() }),
      type,
      names: [...names.keys()].toSorted(),
      createdAt: new Date(createdAt).toISOString(),
    }
  }

  #rememberExpired(names: ReadonlyMap<string, number>): void {
    const now = this.#now()
    for (const [name, until] of names) if (until <= now) this.#remember(name, until)
  }

  #remember(key: string, expiredAt: number): void {
    this.#expired.set(key, expiredAt)
    if (this.#expired.size <= EXPIRED_REMEMBERED_MAX) return
    const [oldest] = this.#expired.keys()
    if (oldest !== undefined) this.#expired.delete(oldest)
  }
}

function expired(key: string, at: number): BunhouseError {
  const when = new Date(at).toISOString()
  return new BunhouseError("NOT_FOUND", `the object ${JSON.stringify(key)} expired at ${when}`)
}
