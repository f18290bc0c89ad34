import { CALLS_IN_FLIGHT_MAX } from "./limits.ts"

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
  #size = 0

  get size(): number {
    return this.#size
  }

  get isFull(): boolean {
    return this.#size >= CALLS_IN_FLIGHT_MAX
  }

  /** The caller checks `isFull` first. */
  open(entry: T): number {
    const slot = this.#free.pop() ?? this.#entries.length
    if (slot === this.#entries.length) this.#generations.push(0)
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
    this.#generations[slot] = ((this.#generations[slot] ?? 0) + 1) & GENERATION_MASK
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

const SLOT_BITS = 20
const SLOT_MASK = (1 << SLOT_BITS) - 1
const GENERATION_MASK = 0xfff

if (CALLS_IN_FLIGHT_MAX !== 1 << SLOT_BITS) throw new Error("slots.ts contradicts limits.ts")

function idOf(slot: number, generation: number): number {
  return ((generation << SLOT_BITS) | slot) >>> 0
}

/** The slot of an id; smaller than CALLS_IN_FLIGHT_MAX for whatever id a peer thinks of. */
export function slotOf(id: number): number {
  return id & SLOT_MASK
}
