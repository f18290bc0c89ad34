import { CALLS_IN_FLIGHT_MAX } from "./limits.ts"

const SLOT_BITS = 20
const SLOT_MASK = (1 << SLOT_BITS) - 1
const ALL_GENERATIONS: Generations = { first: 0, count: 0x1000 }

/** From which generations a table takes its ids: a power of two of them. */
interface Generations {
  readonly first: number
  readonly count: number
}

/** Two tables whose ids meet in one place, of the daemon and of an env process itself, have a half each. */
export const DAEMON_GENERATIONS: Generations = { first: 0, count: 0x800 }
export const OWN_GENERATIONS: Generations = { first: 0x800, count: 0x800 }

/** Whether the id is of a table with `OWN_GENERATIONS`. */
export function isOwnId(id: number): boolean {
  return id >>> 31 === 1
}

/**
 * Entries under 32-bit ids, as both ends of a connection keep their calls in flight.
 *
 * Invariants:
 * T1. An id is `slot | generation << 20`: a slot is reused under another generation, so that a late message for an
 *     earlier call finds nothing instead of the wrong call.
 * T2. Opening, finding and closing cost O(1) and no hashing; memory follows the largest number of open entries.
 */
export class SlotTable<T> {
  readonly #entries: (T | undefined)[] = []
  readonly #generations: number[] = []
  readonly #free: number[] = []
  readonly #first: number
  readonly #mask: number
  #size = 0

  constructor({ first, count }: Generations = ALL_GENERATIONS) {
    this.#first = first
    this.#mask = count - 1
  }

  get size(): number {
    return this.#size
  }

  get isFull(): boolean {
    return this.#size >= CALLS_IN_FLIGHT_MAX
  }

  /** The caller checks `isFull` first. */
  open(entry: T): number {
    const slot = this.#free.pop() ?? this.#entries.length
    if (slot === this.#entries.length) this.#generations.push(this.#first)
    this.#entries[slot] = entry
    this.#size++
    return idOf(slot, this.#generations[slot] ?? 0)
  }

  get(id: number): T | undefined {
    const slot = slotOf(id)
    if (this.#generations[slot] !== id >>> SLOT_BITS) return undefined
    return this.#entries[slot]
  }

  /** Returns the entry that was closed; closing twice is legal and returns undefined. */
  close(id: number): T | undefined {
    const entry = this.get(id)
    if (entry === undefined) return undefined
    const slot = slotOf(id)
    this.#entries[slot] = undefined
    this.#generations[slot] = this.#first | (((id >>> SLOT_BITS) + 1) & this.#mask)
    this.#free.push(slot)
    this.#size--
    return entry
  }

  /** All open entries, in no order. Entries may be closed during the walk. */
  *[Symbol.iterator](): Generator<T> {
    for (const entry of this.#entries) {
      if (entry !== undefined) yield entry
    }
  }
}

if (CALLS_IN_FLIGHT_MAX !== 1 << SLOT_BITS) throw new Error("slots.ts contradicts limits.ts")

function idOf(slot: number, generation: number): number {
  return ((generation << SLOT_BITS) | slot) >>> 0
}

/** The slot of an id; smaller than CALLS_IN_FLIGHT_MAX for whatever id a peer thinks of. */
export function slotOf(id: number): number {
  return id & SLOT_MASK
}
