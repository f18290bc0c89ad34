/**
 * A ring of entries in shared memory, from one writer to one reader on another thread. No locks, no messages: the two
 * share three words and the entries.
 *
 *     memory = head (line 0)  tail (line 1)  asleep (line 2)  entries (capacity bytes, a power of two)
 *     entry  = i32 length   i32 claim   body, padded to 8 bytes
 *
 * `head` is where the writer goes on and `tail` where the reader stands. Both count bytes, run through all 32 bits and
 * are compared by their difference. A negative length is no body but a word: WRAP, the next entry stands at the start of
 * the ring; ELSEWHERE, the entry's body is not here (channel.ts sends it as a message).
 *
 * Invariants:
 * R1. Only the writer writes `head`, after the whole entry; only the reader writes `tail`, when it is done with an entry.
 *     So neither ever sees half an entry, and the bytes of an entry stay as they are until the reader has passed it.
 * R2. An entry is taken by exactly one side: its claim word leaves POSTED once, by compare-and-swap, and either the
 *     reader claims it or the writer revokes it. The reader passes over what was revoked.
 * R3. Entries are read in the order in which they were written, and each at most once.
 * R4. There is always room for an entry without a body as long as fewer than ENTRIES_MAX have not been passed, because
 *     bodies leave that much free. What does not fit is sent elsewhere, at once: a full ring delays and loses nothing.
 */
export function ringMemory(capacity: number): SharedArrayBuffer {
  return new SharedArrayBuffer(ENTRIES_START + capacity)
}

/** Where an entry stands, as its writer counts. */
export type Position = number

export class RingWriter {
  readonly #words: Int32Array
  readonly #bytes: Buffer
  readonly #capacity: number
  /** Where the last ENTRIES_MAX entries stand, by their number. */
  readonly #positions = new Int32Array(ENTRIES_MAX)
  #head: number
  #entries = 0

  constructor(memory: SharedArrayBuffer) {
    this.#words = new Int32Array(memory)
    this.#bytes = Buffer.from(memory)
    this.#capacity = capacityOf(memory)
    this.#head = Atomics.load(this.#words, HEAD)
  }

  /** Adds an entry whose body are these bytes of `source`; undefined when there is no room for it. */
  write(source: Buffer, start = 0, end = source.length): Position | undefined {
    const length = end - start
    const size = sizeOf(length)
    const offset = this.#head & (this.#capacity - 1)
    const toEnd = this.#capacity - offset
    const skipped = toEnd < size ? toEnd : 0
    if (this.#free() - ENTRIES_MAX * ENTRY_BYTES < skipped + size) return undefined
    if (skipped > 0) {
      this.#words[wordAt(offset)] = WRAP
      this.#head = (this.#head + skipped) | 0
    }
    const position = this.#head
    const at = position & (this.#capacity - 1)
    source.copy(this.#bytes, ENTRIES_START + at + ENTRY_BYTES, start, end)
    this.#publish(position, length, size)
    return position
  }

  /** Adds an entry whose body is elsewhere. */
  writeElsewhere(): Position {
    if (!this.hasRoomFor(1)) throw new Error("a ring holds more entries than it may (R4)")
    const position = this.#head
    this.#publish(position, ELSEWHERE, ENTRY_BYTES)
    return position
  }

  /** Whether `count` more entries are no more than there may be (R4). */
  hasRoomFor(count: number): boolean {
    const first = this.#entries + count - 1 - ENTRIES_MAX
    return first < 0 || this.#isPassed(this.#positions[first % ENTRIES_MAX] ?? 0)
  }

  /** Takes the entry back; false when the reader has it. */
  revoke(position: Position): boolean {
    // What was passed may be another entry by now; what was not stays as it is (R1).
    if (this.#isPassed(position)) return false
    const word = wordAt(position & (this.#capacity - 1)) + 1
    return Atomics.compareExchange(this.#words, word, POSTED, REVOKED) === POSTED
  }

  /** The reader has passed every entry. */
  get isPassed(): boolean {
    return Atomics.load(this.#words, TAIL) === this.#head
  }

  /** After a write: whether the reader sleeps and must be woken. It is told to one caller only. */
  takeSleeper(): boolean {
    return Atomics.compareExchange(this.#words, ASLEEP, 1, 0) === 1
  }

  #isPassed(position: Position): boolean {
    return ((position - Atomics.load(this.#words, TAIL)) | 0) < 0
  }

  #free(): number {
    return this.#capacity - ((this.#head - Atomics.load(this.#words, TAIL)) | 0)
  }

  #publish(position: Position, length: number, size: number): void {
    const word = wordAt(position & (this.#capacity - 1))
    this.#words[word] = length
    this.#words[word + 1] = POSTED
    this.#positions[this.#entries++ % ENTRIES_MAX] = position
    this.#head = (position + size) | 0
    Atomics.store(this.#words, HEAD, this.#head) // R1
  }
}

export class RingReader {
  readonly bytes: Buffer
  /** Of the entry that `peek` has found: where its body stands in `bytes`. */
  start = 0
  end = 0
  readonly #words: Int32Array
  readonly #capacity: number
  #tail: number
  #size = 0

  constructor(memory: SharedArrayBuffer) {
    this.#words = new Int32Array(memory)
    this.bytes = Buffer.from(memory)
    this.#capacity = capacityOf(memory)
    this.#tail = Atomics.load(this.#words, TAIL)
  }

  /** Looks at the next entry without taking it. */
  peek(): "none" | "body" | "elsewhere" {
    for (;;) {
      if (Atomics.load(this.#words, HEAD) === this.#tail) return "none"
      const offset = this.#tail & (this.#capacity - 1)
      const length = this.#words[wordAt(offset)] ?? 0
      if (length !== WRAP) {
        this.#size = length === ELSEWHERE ? ENTRY_BYTES : sizeOf(length)
        this.start = ENTRIES_START + offset + ENTRY_BYTES
        this.end = this.start + Math.max(0, length)
        return length === ELSEWHERE ? "elsewhere" : "body"
      }
      this.#tail = (this.#tail + this.#capacity - offset) | 0
    }
  }

  /** Takes the entry that `peek` has found; false when it was revoked. Either way `pass` comes next (R2). */
  claim(): boolean {
    const word = wordAt(this.#tail & (this.#capacity - 1)) + 1
    return Atomics.compareExchange(this.#words, word, POSTED, CLAIMED) === POSTED
  }

  /** Done with the entry that `peek` has found: its bytes may be written over. */
  pass(): void {
    this.#tail = (this.#tail + this.#size) | 0
    Atomics.store(this.#words, TAIL, this.#tail) // R1
  }

  /** From now on the writer wakes this reader; false, and awake, when there is an entry already. */
  sleep(): boolean {
    Atomics.store(this.#words, ASLEEP, 1)
    if (Atomics.load(this.#words, HEAD) === this.#tail) return true
    // If the writer was quicker, its wake comes on top: waking once too often does no harm.
    Atomics.store(this.#words, ASLEEP, 0)
    return false
  }
}

/** Entries of one ring that the reader has not passed. */
export const ENTRIES_MAX = 512

/** Words on cache lines of their own. */
const HEAD = 0
const TAIL = 16
const ASLEEP = 32
const ENTRIES_START = 192
const ENTRY_BYTES = 8

const WRAP = -1
const ELSEWHERE = -2

const POSTED = 1
const CLAIMED = 2
const REVOKED = 3

function capacityOf(memory: SharedArrayBuffer): number {
  return memory.byteLength - ENTRIES_START
}

function sizeOf(bodyLength: number): number {
  return ENTRY_BYTES + ((bodyLength + 7) & ~7)
}

/** Index in the words of the length of the entry at `offset`; its claim is the one after it. */
function wordAt(offset: number): number {
  return (ENTRIES_START + offset) >> 2
}
