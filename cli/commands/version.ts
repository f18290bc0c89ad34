import { PACKAGE_VERSION, PROTOCOL_VERSION } from "../../protocol/version.ts"
import type { Answer } from "../command.ts"

/** `bunhouse version`: of this program; the daemon's own is told by `bunhouse status`. */
export async function version(): Promise<Answer> {
  const document = { version: PACKAGE_VERSION, protocol: PROTOCOL_VERSION, bun: Bun.version }
  return { document, text: PACKAGE_VERSION }
}
