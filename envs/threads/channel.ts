import { BATCH_PREFIX_BYTES, FrameReader, FrameWriter } from "../../protocol/frame.ts"
import { type Position, ringMemory, RingReader, RingWriter } from "./ring.ts"

/**
 * One end of the way between the pool and a thread: a ring in each direction and a port beside them. Frames go through
 * the rings, those that are too large for one through the port. How an end that sleeps is woken is for its owner to say: the
 * thread's own messages take a quarter of the time of a port's.
 *
 * Invariants (with those of ring.ts):
 * N1. Frames arrive in the order in which they were sent, large ones too: each has its entry in the ring, where a large
 *     one is waited for until its message is here.
 * N2. An end that sleeps is woken by the next frame that is sent, or once for all that were put before; one that is awake
 *     costs its peer no message.
 */
export class Channel {
  /** Stands on the frame that `next` has found; valid until `pass`. */
  readonly frame = new FrameReader()
  readonly #port: MessagePort
  readonly #wakeOther: () => void
  readonly #out: RingWriter
  readonly #in: RingReader
  /** Large frames that have arrived, each a batch of one. */
  readonly #large: Uint8Array[] = []
  #awaitsLarge = false
  /** Where a frame is read out of the shared memory: not every reader of bytes takes that kind. */
  readonly #scratch = Buffer.alloc(BATCH_PREFIX_BYTES + BODY_BYTES_MAX)

  /** The end begins awake. */
  constructor({ port, out, in: inward }: ChannelEnd, { wakeOther, onLarge }: ChannelParts) {
    this.#port = port
    this.#wakeOther = wakeOther
    this.#out = new RingWriter(out)
    this.#in = new RingReader(inward)
    this.#scratch.set(PREFIX)
    port.addEventListener("message", ({ data }) => {
      if (data instanceof Uint8Array) this.#large.push(data)
      onLarge()
    })
    port.start()
  }

  /** Sends the one frame of `batch`, which stays the caller's; there is room for it. */
  send(batch: Buffer): Position {
    const position = this.#write(batch, batch.length) ?? this.#sendElsewhere(ownBuffer(batch), [])
    this.wake()
    return position
  }

  /**
   * Puts the one frame that `writer` holds where an end that is awake finds it; there is room for it. Whoever puts frames
   * wakes the other end in time.
   */
  put(writer: FrameWriter): void {
    if (this.#write(writer.buffer, writer.byteLength) === undefined) {
      const batch = writer.take()
      this.#sendElsewhere(batch, [batch.buffer])
    } else writer.clear()
  }

  /** N2. */
  wake(): void {
    if (this.#out.takeSleeper()) this.#wakeOther()
  }

  /** Sends a frame that may be lost: false, and nothing sent, where there is no room for it and `others`. */
  sendIfRoom(writer: FrameWriter, others: number): boolean {
    const hasRoom = this.hasRoomFor(others + 1)
    if (hasRoom) this.put(writer)
    else writer.clear()
    this.wake()
    return hasRoom
  }

  /** Takes a frame back that the other end has not begun with. */
  revoke(position: Position): boolean {
    return this.#out.revoke(position)
  }

  /** Whether `frames` more can be sent now. */
  hasRoomFor(frames: number): boolean {
    return this.#out.hasRoomFor(frames)
  }

  /** The other end is done with all that was sent. */
  get isPassed(): boolean {
    return this.#out.isPassed
  }

  /** Goes to the next frame and takes it. False when there is none (yet). */
  next(): boolean {
    for (;;) {
      const found = this.#in.peek()
      if (found === "none") return false
      const isLarge = found === "elsewhere"
      this.#awaitsLarge = isLarge && this.#large.length === 0
      if (this.#awaitsLarge) return false
      const isOurs = this.#in.claim()
      const large = isLarge ? this.#large.shift() : undefined
      if (isOurs) {
        if (large === undefined) this.#copy()
        else this.frame.open(ownBytes(large), large.length)
        this.frame.next()
        return true
      }
      this.#in.pass()
    }
  }

  /** Done with the frame of `next`. */
  pass(): void {
    this.#in.pass()
  }

  /** Nothing was found: the next frame will wake this end. False when it came meanwhile. */
  sleep(): boolean {
    return this.#awaitsLarge || this.#in.sleep()
  }

  close(): void {
    this.#port.close()
  }

  #copy(): void {
    const { bytes, start, end } = this.#in
    bytes.copy(this.#scratch, BATCH_PREFIX_BYTES, start, end)
    this.frame.reopen(this.#scratch, BATCH_PREFIX_BYTES + end - start)
  }

  #write(batch: Buffer, end: number): Position | undefined {
    if (end - BATCH_PREFIX_BYTES > BODY_BYTES_MAX) return undefined
    return this.#out.write(batch, BATCH_PREFIX_BYTES, end)
  }

  #sendElsewhere(batch: Uint8Array, moved: ArrayBuffer[]): Position {
    this.#port.postMessage(batch, moved) // N1: ahead of its entry
    return this.#out.writeElsewhere()
  }
}

interface ChannelParts {
  /** Makes the owner of the other end look for frames. Once too often does no harm. */
  readonly wakeOther: () => void
  /** A large frame is here that may have been waited for. */
  readonly onLarge: () => void
}

/** What an end is made of. */
export interface ChannelEnd {
  readonly port: MessagePort
  readonly out: SharedArrayBuffer
  readonly in: SharedArrayBuffer
}

export function channelEnds(): [ChannelEnd, ChannelEnd] {
  const { port1, port2 } = new MessageChannel()
  const [there, back] = [ringMemory(RING_BYTES), ringMemory(RING_BYTES)]
  return [
    { port: port1, out: there, in: back },
    { port: port2, out: back, in: there },
  ]
}

/**
 * A frame as a batch of its own. A very large one lies in shared memory: it is not copied again for each thread that it is
 * sent to until one takes it.
 */
export function alone(frame: FrameReader): Buffer {
  const { buffer, start, end } = frame
  const length = BATCH_PREFIX_BYTES + end - start
  const batch =
    length > SHARED_BYTES_MIN
      ? Buffer.from(new SharedArrayBuffer(length))
      : Buffer.allocUnsafe(length)
  PREFIX.copy(batch)
  buffer.copy(batch, BATCH_PREFIX_BYTES, start, end)
  return batch
}

/** A message takes the whole memory of a view along: small buffers share theirs. */
function ownBuffer(batch: Buffer): Uint8Array {
  return batch.length < batch.buffer.byteLength ? new Uint8Array(batch) : batch
}

/** Not every reader of bytes takes shared memory. */
function ownBytes(batch: Uint8Array): Uint8Array {
  return batch.buffer instanceof SharedArrayBuffer ? new Uint8Array(batch) : batch
}

/** What every batch begins with. */
const PREFIX = new FrameWriter().take()
const RING_BYTES = 64 * 1024
/** A larger frame goes through the port, where it is copied, too, but takes no room from others. */
const BODY_BYTES_MAX = 8 * 1024
const SHARED_BYTES_MIN = 1024 * 1024
