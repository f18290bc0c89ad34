import type { Fields } from "./fields.ts"
import { OBJECT_BYTES_MAX } from "./limits.ts"

/** Content that stands in the store chunk by chunk: what whoever owns it has to know to read it. */
export interface StoredContent {
  /** Names the chunks. */
  readonly nuid: string
  readonly bytes: number
  readonly chunks: number
  /** As the library for the object store writes it. */
  readonly digest: string
}

export function readStoredContent(fields: Fields): StoredContent {
  return {
    nuid: fields.text("nuid"),
    bytes: fields.integer("bytes", 0, OBJECT_BYTES_MAX),
    chunks: fields.integer("chunks", 0, Number.MAX_SAFE_INTEGER),
    digest: fields.text("digest"),
  }
}
