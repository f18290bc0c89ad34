import manifest from "../package.json" with { type: "json" }

/** Version of the package, as `bunhouse version` prints it. */
export const PACKAGE_VERSION: string = manifest.version

/**
 * Version of the wire: frames, payload encoding and control messages together.
 * It changes when an older peer would misread a newer one; a mismatch is refused, never guessed at.
 */
export const PROTOCOL_VERSION = 1
