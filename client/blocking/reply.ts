import { type FrameReader, FrameType } from "../../protocol/frame.ts"
import { callIdOf } from "../../protocol/hello.ts"
import { ENV_PAYLOAD_BYTES_MAX } from "../../protocol/limits.ts"
import { FrameAssembly } from "../../protocol/parts/frame-assembly.ts"
import { readPart } from "../../protocol/parts/part.ts"
import { type Names, type Outcome, readOutcome } from "../outcome.ts"
import type { Logged } from "./blocking-caller.ts"

/**
 * Reads what answers a blocking call, from the frame behind the one that `frame` stands on: parts of a large result, what
 * the function has printed, the reply.
 */
export function readReply(
  frame: FrameReader,
  bootId: string,
  names: Names,
  logged: Logged,
): Outcome {
  let parts: FrameAssembly | undefined
  while (frame.next()) {
    if (frame.type === FrameType.log) logged(frame, bootId)
    else if (frame.type === FrameType.part) (parts ??= new FrameAssembly(ALL)).add(readPart(frame))
    else break
  }
  const { type, serial } = frame
  const reply = type === FrameType.reply && parts !== undefined ? parts.finish(frame) : frame
  return readOutcome(reply, names, () => callIdOf(bootId, serial))
}

/** All of it is there. */
const ALL = {
  extra: new Uint8Array(0),
  bytesMax: ENV_PAYLOAD_BYTES_MAX,
  others: () => 0,
  grant: () => {},
}
