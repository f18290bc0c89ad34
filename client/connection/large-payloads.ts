import { FrameFlag, type FrameReader, FrameType } from "../../protocol/frame.ts"
import { ENV_PAYLOAD_BYTES_MAX } from "../../protocol/limits.ts"
import type { Outbox } from "../../protocol/outbox.ts"
import { FrameAssembly } from "../../protocol/parts/frame-assembly.ts"
import { PARTS_STREAM, readPart, writePart } from "../../protocol/parts/part.ts"
import { PartSender } from "../../protocol/parts/part-sender.ts"
import { writeCredit } from "../../protocol/streams/credit.ts"
import type { PendingCall } from "./pending.ts"

/** Arguments and results of one connection that are too large for one frame, and travel in parts. */
export class LargePayloads {
  readonly #outbox: Outbox
  /** Calls whose results arrive. */
  #arriving = 0

  constructor(outbox: Outbox) {
    this.#outbox = outbox
  }

  /** The arguments of `pending` leave as they are asked for. */
  begin(pending: PendingCall): void {
    pending.outgoing = new PartSender(pending.call.payload, (part) => {
      writePart(this.#outbox.open(part.bytes.length), pending.id, part)
    })
  }

  /** Takes in a part of the result. Throws where it does not fit, or where memory is short. */
  part(pending: PendingCall, frame: FrameReader): void {
    if (pending.incoming === undefined) this.#arriving++
    pending.incoming ??= new FrameAssembly({
      extra: NO_EXTRA,
      bytesMax: ENV_PAYLOAD_BYTES_MAX,
      others: () => this.#arriving - 1,
      grant: (bytes) => {
        writeCredit(this.#outbox.open(0), pending.id, PARTS_STREAM, { items: 0, bytes })
      },
    })
    pending.incoming.add(readPart(frame))
  }

  /** The reply as a whole: `frame`, or what has arrived before it. */
  whole(pending: PendingCall, frame: FrameReader): FrameReader {
    const { type, flags } = frame
    const isLarge = type === FrameType.reply && (flags & FrameFlag.parts) !== 0
    if (!isLarge || pending.incoming === undefined) return frame
    return pending.incoming.finish(frame)
  }

  /** Nothing more of the call is taken. */
  ended(pending: PendingCall): void {
    if (pending.incoming !== undefined) this.#arriving--
    pending.incoming = undefined
  }
}

const NO_EXTRA = new Uint8Array(0)
