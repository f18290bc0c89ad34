import { Fields } from "../protocol/fields.ts"
import { BYTES_TYPE, PAYLOAD_TYPE, paths } from "../protocol/http.ts"
import { OBJECT_BYTES_MAX, OBJECT_PART_BYTES_MAX } from "../protocol/limits.ts"
import { type ObjectInfo, type PutOptions, readObjectInfo, tooLarge } from "../protocol/object.ts"
import { partsOfBlob, sizeOf } from "./blob-parts.ts"
import type { Control } from "./control.ts"

/** Where the bytes of an object come from. */
export type ObjectSource = Uint8Array | Blob | ReadableStream<Uint8Array>

/**
 * Brings content to the daemon: what fits one part in one request, everything else part by part, of which memory holds one
 * at a time. The daemon checks the whole by its hash.
 */
export async function upload(
  control: Control,
  source: ObjectSource,
  options: PutOptions,
): Promise<ObjectInfo> {
  const bytes = source instanceof ReadableStream ? 0 : lengthOf(source)
  if (bytes > OBJECT_BYTES_MAX) throw tooLarge(bytes)
  const parts = partsOf(source)
  try {
    const first = await parts.next()
    const head = first.done === true ? new Uint8Array() : first.value
    if (head.length < OBJECT_PART_BYTES_MAX) return await putWhole(control, head, options)
    // Only what is in memory can be hashed before it is sent.
    const sha256 = source instanceof Uint8Array ? sha256Of(source) : undefined
    const begun = await begin(control, { ...options, bytes, sha256 })
    return typeof begun === "string" ? await putParts(control, begun, head, parts) : begun
  } finally {
    await parts.return(undefined)
  }
}

async function putWhole(
  control: Control,
  body: Uint8Array<ArrayBuffer>,
  { type, name, ttlMs }: PutOptions,
): Promise<ObjectInfo> {
  const path = `${name === undefined ? paths.objects : paths.object(name)}?ttlMs=${ttlMs}`
  const method = name === undefined ? "POST" : "PUT"
  const mediaType = type === "value" ? PAYLOAD_TYPE : BYTES_TYPE
  const answer = await control.send(method, path, { body, type: mediaType })
  return objectIn(await answer.json())
}

/** The id of an upload, or the object where the daemon has this content already. */
async function begin(control: Control, request: object): Promise<string | ObjectInfo> {
  const answer = await control.request("POST", paths.uploads, request)
  return new Fields("the answer to an upload", answer).optionalText("upload") ?? objectIn(answer)
}

async function putParts(
  control: Control,
  id: string,
  head: Uint8Array<ArrayBuffer>,
  rest: AsyncGenerator<Uint8Array<ArrayBuffer>, void>,
): Promise<ObjectInfo> {
  const hash = new Bun.CryptoHasher("sha256")
  try {
    let at = 0
    for (let part: Uint8Array<ArrayBuffer> | undefined = head; part !== undefined;) {
      hash.update(part)
      await control.send("PUT", `${paths.upload(id)}?at=${at}`, { body: part, type: BYTES_TYPE })
      at += part.length
      const next = await rest.next()
      part = next.done === true ? undefined : next.value
    }
    const sha256 = hash.digest("hex")
    return objectIn(await control.request("POST", paths.uploadCommit(id), { sha256 }))
  } catch (error) {
    // If this does not arrive either, the daemon gives it up by itself.
    await control.request("DELETE", paths.upload(id)).catch(() => {})
    throw error
  }
}

/** Cuts a source into parts of OBJECT_PART_BYTES_MAX; only the last one is shorter. Each is valid until the next one. */
async function* partsOf(source: ObjectSource): AsyncGenerator<Uint8Array<ArrayBuffer>, void> {
  if (source instanceof ReadableStream) yield* partsOfStream(source)
  else if (source instanceof Blob) yield* partsOfBlob(source)
  else {
    for (let from = 0; from < source.length; from += OBJECT_PART_BYTES_MAX) {
      // A copy: whoever put the bytes may change them.
      yield new Uint8Array(source.subarray(from, from + OBJECT_PART_BYTES_MAX))
    }
  }
}

async function* partsOfStream(
  stream: ReadableStream<Uint8Array>,
): AsyncGenerator<Uint8Array<ArrayBuffer>, void> {
  const part = new Uint8Array(OBJECT_PART_BYTES_MAX)
  let filled = 0
  // Leaving the loop cancels the stream.
  for await (const piece of stream) {
    for (let from = 0; from < piece.length;) {
      const taken = piece.subarray(from, from + part.length - filled)
      part.set(taken, filled)
      filled += taken.length
      from += taken.length
      if (filled < part.length) continue
      yield part
      filled = 0
    }
  }
  if (filled > 0) yield part.subarray(0, filled)
}

function lengthOf(source: Uint8Array | Blob): number {
  return source instanceof Blob ? sizeOf(source) : source.length
}

function sha256Of(bytes: Uint8Array): string {
  return new Bun.CryptoHasher("sha256").update(bytes).digest("hex")
}

function objectIn(answer: unknown): ObjectInfo {
  return readObjectInfo(new Fields("the answer to an upload", answer).unknown("object"))
}
