import { BunhouseError } from "./errors.ts"
import { Fields } from "./fields.ts"
import {
  OBJECT_BYTES_MAX,
  OBJECT_NAMES_MAX,
  OBJECT_TTL_MS_DEFAULT,
  OBJECT_TTL_MS_MAX,
} from "./limits.ts"
import { checkName } from "./names.ts"

/**
 * Objects: data that a daemon keeps and hands out again, by its content's hash or by name. The daemon never decodes it.
 *
 *     id = "sha256-" hex          bytes, as they were put
 *     id = "value-sha256-" hex    a value in the payload encoding; the hash is that of the encoding
 */
export type ObjectType = "bytes" | "value"

declare const content: unique symbol

/**
 * A reference to an object whose content is a `T`: plain data, which travels as an argument or a result as it is. Whoever
 * has it can fetch the object with `here.objects.get(ref)`, until the object expires or is deleted.
 */
export interface ObjectRef<T = unknown> {
  /** Stands for the content: the same content has the same id. */
  readonly object: string
  /** Length of the content, encoded. */
  readonly bytes: number
  /** ISO time until which the object was to be kept when this reference was made; absent when it is kept for ever. */
  readonly expiresAt?: string
  /** Known to the type checker only. */
  readonly [content]?: T
}

/** What a daemon knows of an object. */
export interface ObjectInfo extends ObjectRef {
  /** How it was put: as raw bytes, or as a value. */
  readonly type: ObjectType
  readonly names: readonly string[]
  readonly createdAt: string
}

/** How an object is put: what `POST /v1/uploads` takes. */
export interface PutOptions {
  readonly type: ObjectType
  readonly name: string | undefined
  /** 0: kept for ever. */
  readonly ttlMs: number
}

/** Asks for an upload; with `sha256`, what the daemon has already need not be sent. */
export interface UploadRequest extends PutOptions {
  /** Announced length; 0 where the sender does not know it. */
  readonly bytes: number
  /** Of the content, in hexadecimal digits. */
  readonly sha256: string | undefined
}

export function objectId(type: ObjectType, sha256: string): string {
  return type === "value" ? `value-sha256-${sha256}` : `sha256-${sha256}`
}

/** Undefined for what is no id, so a name. */
export function readObjectId(
  key: string,
): { readonly type: ObjectType; readonly sha256: string } | undefined {
  const groups = /^(?<value>value-)?sha256-(?<sha256>[0-9a-f]{64})$/.exec(key)?.groups
  if (groups === undefined) return undefined
  return {
    type: groups["value"] === undefined ? "bytes" : "value",
    sha256: groups["sha256"] ?? "",
  }
}

/** Throws INVALID_ARGUMENT unless `name` may be the name of an object: ids may not. */
export function checkObjectName(name: unknown): asserts name is string {
  checkName("object", name)
  if (readObjectId(name) === undefined) return
  throw new BunhouseError(
    "INVALID_ARGUMENT",
    `${name} cannot be the name of an object: it is an id`,
  )
}

/** What an option means on the wire. Throws INVALID_ARGUMENT for what is no time to live. */
export function checkTtlMs(ttlMs: number | undefined): number {
  if (ttlMs === undefined) return OBJECT_TTL_MS_DEFAULT
  if (Number.isFinite(ttlMs) && ttlMs >= 0 && ttlMs <= OBJECT_TTL_MS_MAX) return Math.ceil(ttlMs)
  throw new BunhouseError(
    "INVALID_ARGUMENT",
    `expected ttlMs to be a number of milliseconds from 0 (kept for ever) to ${OBJECT_TTL_MS_MAX}, got ${String(ttlMs)}`,
  )
}

export function readUploadRequest(input: unknown): UploadRequest {
  const fields = new Fields("an upload", input)
  const request: UploadRequest = {
    type: fields.oneOf("type", ["bytes", "value"]),
    name: fields.optionalText("name"),
    ttlMs: fields.integer("ttlMs", 0, OBJECT_TTL_MS_MAX, OBJECT_TTL_MS_DEFAULT),
    bytes: fields.integer("bytes", 0, Number.MAX_SAFE_INTEGER, 0),
    sha256: fields.optionalText("sha256"),
  }
  fields.done()
  if (request.name !== undefined) checkObjectName(request.name)
  return request
}

/** Reads what a daemon says of an object. */
export function readObjectInfo(input: unknown): ObjectInfo {
  const fields = new Fields("what the daemon says of an object", input)
  const expiresAt = fields.optionalText("expiresAt")
  return {
    object: fields.text("object"),
    bytes: fields.integer("bytes", 0, OBJECT_BYTES_MAX),
    ...(expiresAt !== undefined && { expiresAt }),
    type: fields.oneOf("type", ["bytes", "value"]),
    names: fields.list("names").slice(0, OBJECT_NAMES_MAX).map(String),
    createdAt: fields.text("createdAt"),
  }
}

export function tooLarge(bytes: number): BunhouseError {
  const message = `an object of ${bytes} bytes is over the limit of ${OBJECT_BYTES_MAX}`
  return new BunhouseError("PAYLOAD_TOO_LARGE", message)
}
