import { BODY_BYTES_MAX } from "../../protocol/limits.ts"

/**
 * WebSocket framing, RFC 6455 section 5, client side: what is sent is masked, what arrives is not. The mask is all zeros,
 * so that bytes are sent without being touched: an unforeseeable mask protects proxies from what pages in a browser make
 * the browser say (section 10.3), and this is no browser.
 */
export const Opcode = { continuation: 0, binary: 2, close: 8, ping: 9, pong: 10 } as const

/** The head of a masked frame that says what `payload` is; the payload follows as it is. */
export function encodeHead(opcode: number, payload: Uint8Array): Buffer {
  const { length } = payload
  const head = Buffer.alloc(length < 126 ? 6 : length < 0x10000 ? 8 : 14)
  head[0] = 0x80 | opcode
  if (length < 126) head[1] = 0x80 | length
  else if (length < 0x10000) {
    head[1] = 0x80 | 126
    head.writeUInt16BE(length, 2)
  } else {
    head[1] = 0x80 | 127
    head.writeBigUInt64BE(BigInt(length), 2)
  }
  return head
}

export interface Message {
  readonly opcode: number
  readonly payload: Buffer
}

/** Puts messages together from whatever pieces the network delivers. Throws on what no server may send. */
export class MessageParser {
  /** Bytes of a frame that is not complete yet, with room for all of it once its length is known. */
  #partial: Buffer = EMPTY
  #partialLength = 0
  #fragments: Buffer[] = []
  #fragmentBytes = 0

  /** The messages that `chunk` completes. */
  push(chunk: Buffer): Message[] {
    const messages: Message[] = []
    let rest = this.#join(chunk)
    while (rest.length > 0) {
      const frameLength = frameLengthIn(rest)
      if (frameLength === undefined || frameLength > rest.length) {
        this.#keep(rest, frameLength ?? HEAD_BYTES_MAX)
        break
      }
      const message = this.#message(rest.subarray(0, frameLength))
      if (message !== undefined) messages.push(message)
      rest = rest.subarray(frameLength)
    }
    return messages
  }

  /** What was kept and `chunk`; nothing while that is still no whole frame. */
  #join(chunk: Buffer): Buffer {
    if (this.#partialLength === 0) return chunk
    const length = this.#partialLength + chunk.length
    this.#makeRoom(length)
    this.#partial.set(chunk, this.#partialLength)
    const joined = this.#partial.subarray(0, length)
    const frameLength = frameLengthIn(joined)
    if (frameLength !== undefined && frameLength <= length) {
      this.#partial = EMPTY
      this.#partialLength = 0
      return joined
    }
    this.#partialLength = length
    this.#makeRoom(frameLength ?? 0)
    return EMPTY
  }

  #keep(rest: Buffer, room: number): void {
    this.#makeRoom(Math.max(room, rest.length))
    this.#partial.set(rest)
    this.#partialLength = rest.length
  }

  #makeRoom(bytes: number): void {
    if (bytes <= this.#partial.length) return
    const grown = Buffer.allocUnsafeSlow(bytes)
    grown.set(this.#partial.subarray(0, this.#partialLength))
    this.#partial = grown
  }

  #message(frame: Buffer): Message | undefined {
    const first = frame[0] ?? 0
    const opcode = first & 0x0f
    const payload = frame.subarray(headLength(frame))
    const isFinal = (first & 0x80) !== 0
    if (opcode >= 8) return { opcode, payload }
    const continues = opcode === Opcode.continuation
    if ((!continues && opcode !== Opcode.binary) || continues !== this.#fragments.length > 0) {
      throw new Error(`the daemon sent a frame of type ${opcode} where none may be`)
    }
    if (isFinal && !continues) return { opcode, payload }
    this.#fragments.push(payload)
    this.#fragmentBytes += payload.length
    if (this.#fragmentBytes > MESSAGE_BYTES_MAX || this.#fragments.length > FRAGMENTS_MAX) {
      throw new Error(`the daemon sent a message of over ${MESSAGE_BYTES_MAX} bytes`)
    }
    if (!isFinal) return undefined
    const whole = Buffer.concat(this.#fragments)
    this.#fragments = []
    this.#fragmentBytes = 0
    return { opcode: Opcode.binary, payload: whole }
  }
}

/** Length of the frame that begins in `bytes`; undefined while its head is incomplete. */
function frameLengthIn(bytes: Buffer): number | undefined {
  if (bytes.length < 2) return undefined
  const second = bytes[1] ?? 0
  if (second & 0x80) throw new Error("the daemon sent a masked frame")
  const short = second & 0x7f
  const head = headLength(bytes)
  if (bytes.length < head) return undefined
  const length =
    short < 126 ? short : short === 126 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2))
  if (length > MESSAGE_BYTES_MAX) throw new Error(`the daemon sent a frame of ${length} bytes`)
  return head + length
}

function headLength(bytes: Buffer): number {
  const short = (bytes[1] ?? 0) & 0x7f
  return short < 126 ? 2 : short === 126 ? 4 : 10
}

const EMPTY = Buffer.alloc(0)
const HEAD_BYTES_MAX = 10
const MESSAGE_BYTES_MAX = BODY_BYTES_MAX
const FRAGMENTS_MAX = 65_536
