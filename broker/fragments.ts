import { headers, type Msg, type MsgHdrs } from "@nats-io/nats-core"
import { now } from "../protocol/deadlines.ts"
import { BROKER_MESSAGE_BYTES_MAX, FRAGMENT_WAIT_MS_MAX } from "../protocol/limits.ts"

/**
 * Messages that are longer than the broker takes: by its default NATS takes 1 MiB, a cluster of somebody else may be kept to
 * that, and a frame can be seven times as long. They are cut by who publishes and put together by who listens.
 *
 * Invariants:
 * FR1. A message is handed on whole or not at all, in the place that its last fragment has: the broker keeps the order of what
 *      one connection sends.
 * FR2. What will never be whole is forgotten: with the connection, when its parts do not follow each other, or after
 *      FRAGMENT_WAIT_MS_MAX without a part.
 */
export interface Fragment {
  readonly bytes: Uint8Array
  readonly headers: MsgHdrs
}

/** Cuts `bytes` for a broker that takes messages of `messageBytesMax`, each with headers. Their parts are views. */
export function fragmentsOf(bytes: Uint8Array, messageBytesMax: number): Fragment[] {
  const length = messageBytesMax - HEADERS_BYTES_MAX
  const count = Math.ceil(bytes.length / length)
  const id = crypto.randomUUID()
  return Array.from({ length: count }, (_, index) => {
    const said = headers()
    said.set(FRAGMENT, `${id} ${index} ${count}`)
    return { bytes: bytes.subarray(index * length, (index + 1) * length), headers: said }
  })
}

/** What is looked at of a message. */
type ReceivedFragment = Pick<Msg, "data" | "headers">

export function isFragment(message: ReceivedFragment): boolean {
  return message.headers?.has(FRAGMENT) === true
}

/** Puts together what one connection receives. */
export class FragmentJoiner {
  readonly #incomplete = new Map<string, Incomplete>()

  /** The message that `fragment` completes, if it does. */
  join(fragment: ReceivedFragment): Uint8Array | undefined {
    const [id, index, count] = readFragment(fragment)
    const whole = index === 0 ? this.#begin(id) : this.#incomplete.get(id)
    if (whole === undefined) return undefined
    whole.parts.push(fragment.data)
    whole.bytes += fragment.data.length
    whole.at = now()
    const follows = whole.parts.length === index + 1 && whole.bytes <= BROKER_MESSAGE_BYTES_MAX
    const isWhole = follows && whole.parts.length === count
    if (isWhole || !follows) this.#incomplete.delete(id)
    return isWhole ? Buffer.concat(whole.parts) : undefined
  }

  /** The connection was lost, and what was on the way with it. */
  clear(): void {
    this.#incomplete.clear()
  }

  #begin(id: string): Incomplete {
    const dueBefore = now() - FRAGMENT_WAIT_MS_MAX
    for (const [old, { at }] of this.#incomplete) if (at < dueBefore) this.#incomplete.delete(old)
    const begun = { parts: [], bytes: 0, at: now() }
    this.#incomplete.set(id, begun)
    return begun
  }
}

interface Incomplete {
  readonly parts: Uint8Array[]
  bytes: number
  /** When the last part came. */
  at: number
}

const FRAGMENT = "Bunhouse-Fragment"
/** What the headers take of a message. */
const HEADERS_BYTES_MAX = 256

function readFragment({
  headers: said,
}: ReceivedFragment): [id: string, index: number, count: number] {
  const [id = "", index, count] = said?.get(FRAGMENT).split(" ") ?? []
  return [id, Number(index), Number(count)]
}
