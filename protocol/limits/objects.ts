/** Objects: their sizes and numbers, and how long they are kept. A part of ../limits.ts. */
import { KIB, MIB } from "./units.ts"

/** One object. The daemon enforces it at every part; the client before it sends what it holds in memory. */
export const OBJECT_BYTES_MAX = 1024 * MIB

/** All objects of one daemon together, unless `BUNHOUSE_OBJECTS_BYTES_MAX` says otherwise; and their number. */
export const OBJECTS_BYTES_MAX_DEFAULT = 16 * 1024 * MIB
export const OBJECTS_MAX = 16_384

/** How long an object is kept. 0 as an option means for ever. */
export const OBJECT_TTL_MS_DEFAULT = 24 * 60 * 60_000
export const OBJECT_TTL_MS_MAX = 10 * 365 * 24 * 60 * 60_000

/** Names of one object: they travel in one message of an outside cluster's broker. */
export const OBJECT_NAMES_MAX = 256

/** Bytes of an object in one request of an upload, and in one message of the store. */
export const OBJECT_PART_BYTES_MAX = 4 * MIB
export const OBJECT_CHUNK_BYTES_MAX = 512 * KIB

/** Uploads and downloads of one daemon at a time, and how long one may stand still. */
export const UPLOADS_MAX = 64
export const DOWNLOADS_MAX = 256
export const UPLOAD_IDLE_MS_MAX = 60_000
export const DOWNLOAD_IDLE_MS_MAX = 120_000

/** How often the daemon looks for objects and uploads whose time is over. */
export const OBJECT_SWEEP_MS = 10_000

/** Expired objects of which the daemon remembers that they were there. */
export const EXPIRED_REMEMBERED_MAX = 4_096
