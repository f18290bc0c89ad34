import { BunhouseError } from "../../protocol/errors.ts"
import type { OpenPayload } from "../../server/calls/open-payload.ts"
import type { SeenFrame } from "./frames.ts"
import type { JobLab } from "./job-lab.ts"
import { until } from "./until.ts"

export const ARGS = "the arguments of a job, too large for one message"
export const RESULT = "its result, too large as well"

/** A body that brings `text` in pieces, as far as `upTo`, and then ends. */
export function openArguments(
  text = ARGS,
  upTo = text.length,
): OpenPayload & { readonly reads: () => number } {
  let at = 0
  let reads = 0
  return {
    total: text.length,
    first: Buffer.from(text.slice(0, (at = Math.min(2, upTo)))),
    reads: () => reads,
    body: {
      read: async () => {
        reads++
        const piece = text.slice(at, Math.min(upTo, at + 7))
        at += piece.length
        return piece === "" ? undefined : Buffer.from(piece)
      },
      cancel: () => Promise.resolve(),
    },
    broken: (where) => new BunhouseError("INVALID_ARGUMENT", `it broke off after ${where}`),
  }
}

/** The arguments reach the env process. */
export async function feed(lab: JobLab, call: SeenFrame, text = ARGS): Promise<void> {
  lab.grant(call, 10)
  await until(() => lab.fed(call).length === 10, "the first of the arguments")
  lab.grant(call, text.length)
  await until(() => lab.fed(call) === text, "the arguments")
}

/** The result arrives, but for its end. */
export async function sendResult(lab: JobLab, call: SeenFrame, text = RESULT): Promise<void> {
  lab.sendPart(call, "", 0, text.length)
  lab.sendPart(call, text.slice(0, 9), 0, text.length)
  lab.sendPart(call, text.slice(9), 9, text.length)
  await until(() => lab.chunks.texts.includes(text), "the result in the store")
}

export async function finish(lab: JobLab, call: SeenFrame, id: string): Promise<void> {
  await feed(lab, call)
  await sendResult(lab, call)
  lab.replyBehindParts(call)
  await lab.ended(id)
}

export async function empty(lab: JobLab): Promise<void> {
  await until(() => lab.chunks.contents.size === 0, "no large payload to be left")
  await until(() => lab.service.room.bytes === bodiesOf(lab), "the room to be given back")
}

function bodiesOf(lab: JobLab): number {
  return [...lab.store.entries.values()].reduce((sum, { body }) => sum + body.length, 0)
}
