import { BunhouseError } from "../../protocol/errors.ts"
import { DOWNLOAD_IDLE_MS_MAX } from "../../protocol/limits.ts"
import type { Download } from "../objects/objects.ts"

/**
 * The content of an object, or of another large payload, as the body of an answer. A chunk is read when the one before it has been taken, so that a slow
 * reader costs no memory; one that takes nothing for `idleMsMax` is cut off. The first chunk is read at once: what fails
 * there can be told in place of the answer. What fails later breaks the connection off.
 */
export async function downloadStream(
  { chunks, release }: Omit<Download, "info">,
  idleMsMax = DOWNLOAD_IDLE_MS_MAX,
): Promise<ReadableStream<Uint8Array>> {
  let isOver = false
  const end = (): void => {
    if (isOver) return
    isOver = true
    release()
  }
  const next = async (): Promise<Uint8Array | undefined> => {
    try {
      const { done, value } = await chunks.next()
      if (done !== true) return value
    } catch (error) {
      end()
      throw error
    }
    end()
    return undefined
  }
  let first = await next()
  let timer: Timer | undefined
  const takenWithin = (controller: ReadableStreamDefaultController): void => {
    timer = setTimeout(() => {
      end()
      controller.error(new BunhouseError("CANCELLED", `nothing was read for ${idleMsMax} ms`))
    }, idleMsMax)
  }
  return new ReadableStream<Uint8Array>(
    {
      start: takenWithin,
      async pull(controller) {
        clearTimeout(timer)
        const chunk = first ?? (isOver ? undefined : await next())
        first = undefined
        if (chunk === undefined) controller.close()
        else {
          controller.enqueue(chunk)
          takenWithin(controller)
        }
      },
      cancel() {
        clearTimeout(timer)
        end()
      },
    },
    { highWaterMark: 0 },
  )
}
