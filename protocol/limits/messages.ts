/** What may be said: the sizes of messages, payloads, values, names and code. A part of ../limits.ts. */
import { KIB, MIB } from "./units.ts"

/** Largest payload of one frame. Arguments and results beyond it travel in parts; all else is refused. */
export const PAYLOAD_BYTES_MAX = 7 * MIB

/**
 * Encoded arguments, and result, of one call, in MiB: what an env takes unless its spec says otherwise, and at most. The
 * daemon enforces it for arguments, the env process for results.
 */
export const ENV_PAYLOAD_MIB_DEFAULT = 64
export const ENV_PAYLOAD_MIB_MAX = 1024
export const ENV_PAYLOAD_BYTES_MAX = ENV_PAYLOAD_MIB_MAX * MIB

/** One part of a payload; and what one receiver lets be on the way to it, of one payload and of all together. */
export const PART_BYTES_MAX = 512 * KIB
export const PARTS_WINDOW_BYTES_MAX = 4 * MIB
export const PARTS_WINDOW_BYTES_MIN = 64 * KIB
export const PARTS_WINDOWS_BYTES_TARGET = 16 * MIB

/** How long a body that brings a payload in parts may stand still. */
export const LARGE_BODY_STALL_MS_MAX = 30_000

/** Optional metadata of one frame (a caller's own call id, later tracing). The frame reader enforces it. */
export const EXTRA_BYTES_MAX = 4 * KIB

/** A batch is closed and sent once it holds this much; a single larger frame travels alone. */
export const BATCH_BYTES_TARGET = 256 * KIB

/** Source text of one function. Client and daemon enforce it. */
export const SOURCE_BYTES_MAX = 6 * MIB

/** UTF-8 bytes of a name of an env or a function. */
export const NAME_BYTES_MAX = 200

/** Nesting of one value; deeper is refused with its path. */
export const VALUE_DEPTH_MAX = 128

/** Digits (base 16) of one BigInt; more is refused, because decoding is not linear in the length. */
export const BIGINT_HEX_DIGITS_MAX = 16 * KIB

/** Nesting of the encoded bytes: one level of a value takes at most three levels of msgpack. */
export const ENCODED_DEPTH_MAX = 3 * VALUE_DEPTH_MAX + 8

/** HTTP request body and WebSocket message, daemon side. */
export const BODY_BYTES_MAX = 16 * MIB

/** Bytes a slow caller may leave unread before its connection is closed. */
export const UNREAD_BYTES_MAX = 64 * MIB
