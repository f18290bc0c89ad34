import { decodePayload, encodeObject } from "../protocol/codec/index.ts"
import { BunhouseError } from "../protocol/errors.ts"
import { Fields } from "../protocol/fields.ts"
import { paths } from "../protocol/http.ts"
import {
  checkObjectName,
  checkTtlMs,
  type ObjectInfo,
  type ObjectRef,
  type ObjectType,
  readObjectId,
  readObjectInfo,
} from "../protocol/object.ts"
import type { Control } from "./control.ts"
import { checkKnown } from "./known-options.ts"
import { Download } from "./object-download.ts"
import { type ObjectSource, upload } from "./object-upload.ts"

/** Content that is kept byte for byte; everything else is a value and is encoded as arguments are. */
export type ObjectContent = ObjectSource

export interface PutObjectOptions {
  /** Under which the object can be found, renamed and deleted. Another object that has the name loses it. */
  readonly name?: string
  /** Milliseconds for which the object is kept; 0 for ever. Default 86,400,000 (a day). */
  readonly ttlMs?: number
}

/**
 * Data that a daemon keeps: put once, fetched many times, from wherever there is a connection to the daemon, inside of
 * remote functions too. It survives a restart. The same content is stored once, and has the same reference.
 *
 * An object is kept until the time of its last put has passed. Up to 1 GiB each; bytes, Blobs and streams in bounded
 * memory, here and in the daemon.
 */
export class Objects {
  readonly #control: Control

  /** Made by `Daemon`. */
  constructor(control: Control) {
    this.#control = control
  }

  /**
   * Keeps raw bytes: those of a Uint8Array, a Blob (`Bun.file(…)` is one) or a stream, which come back as a Uint8Array.
   *
   * @throws {BunhouseError} PAYLOAD_TOO_LARGE over 1 GiB, OVERLOADED when the daemon's room for objects is used up,
   *   INVALID_ARGUMENT for a bad name or time, and for a file that is not there, is no file, or changes meanwhile. What a
   *   stream throws, is thrown.
   */
  put(content: ObjectContent, options?: PutObjectOptions): Promise<ObjectRef<Uint8Array>>
  /**
   * Keeps a value, which comes back as it was put; it may be all that an argument may be.
   *
   * @throws {BunhouseError} as above, and VALUE_NOT_SENDABLE with the path of what cannot be kept.
   */
  put<T>(value: T, options?: PutObjectOptions): Promise<ObjectRef<T>>
  async put(value: unknown, options: PutObjectOptions = {}): Promise<ObjectRef> {
    checkKnown("put()", options, { name: true, ttlMs: true })
    const { name } = options
    if (name !== undefined) checkObjectName(name)
    const ttlMs = checkTtlMs(options.ttlMs)
    const isContent = isObjectContent(value)
    const source = isContent ? value : encodeObject(value)
    const type: ObjectType = isContent ? "bytes" : "value"
    const { object, bytes, expiresAt } = await upload(this.#control, source, { type, name, ttlMs })
    return Object.freeze({ object, bytes, ...(expiresAt !== undefined && { expiresAt }) })
  }

  /**
   * What was put, all of it in memory: `get<Report>("report")`, or by a reference, whose type it has.
   *
   * @throws {BunhouseError} NOT_FOUND, and it says if the object has expired; UNAVAILABLE when the connection breaks.
   */
  async get<T>(key: ObjectRef<T> | string): Promise<T> {
    const download = await Download.open(this.#control, keyOf(key))
    const bytes = await download.bytes()
    const content = download.info.type === "value" ? decodePayload(bytes) : bytes
    // What it is, whoever put it knows.
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    return content as T
  }

  /**
   * The bytes of an object that was put as bytes, as they come. The stream fails when they are not what was put.
   *
   * @throws {BunhouseError} as `get`; INVALID_ARGUMENT for an object that was put as a value.
   */
  async getStream(key: ObjectRef<Uint8Array> | string): Promise<ReadableStream<Uint8Array>> {
    const download = await Download.open(this.#control, keyOf(key))
    if (download.info.type === "bytes") return download.stream()
    download.cancel()
    const { object } = download.info
    throw new BunhouseError("INVALID_ARGUMENT", `${object} was put as a value: use get()`)
  }

  /** The names of all objects that have one, sorted. */
  async keys(): Promise<string[]> {
    const answer = await this.#control.request("GET", paths.objects)
    const objects = new Fields("the objects of the daemon", answer).list("objects")
    return objects.flatMap((object) => readObjectInfo(object).names).toSorted()
  }

  /** What the daemon knows of an object. Throws NOT_FOUND. */
  async stat(key: ObjectRef | string): Promise<ObjectInfo> {
    const answer = await this.#control.request("GET", paths.objectInfo(keyOf(key)))
    return readObjectInfo(new Fields("the answer", answer).unknown("object"))
  }

  /** Gives the object named `from` the name `to` instead; another object that has it loses it. Throws NOT_FOUND. */
  async rename(from: string, to: string): Promise<void> {
    checkObjectName(from)
    checkObjectName(to)
    await this.#control.request("POST", paths.objectRename(from), { to })
  }

  /**
   * By reference: the object is gone, with all its names. By name: the name is gone, and the object with it unless it has
   * another name or was put without one as well. Who is reading it reads on. False when there was none.
   */
  async delete(key: ObjectRef | string): Promise<boolean> {
    try {
      await this.#control.request("DELETE", paths.object(keyOf(key)))
      return true
    } catch (error) {
      if (error instanceof BunhouseError && error.code === "NOT_FOUND") return false
      throw error
    }
  }
}

function isObjectContent(value: unknown): value is ObjectContent {
  return value instanceof Uint8Array || value instanceof Blob || value instanceof ReadableStream
}

function keyOf(key: ObjectRef | string): string {
  if (typeof key !== "string") {
    if (readObjectId(key.object) !== undefined) return key.object
    throw new BunhouseError("INVALID_ARGUMENT", "expected a reference that objects.put() returned")
  }
  if (readObjectId(key) === undefined) checkObjectName(key)
  return key
}
