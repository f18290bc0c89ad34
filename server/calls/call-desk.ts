import type { FrameReader } from "../../protocol/frame.ts"
import type { Call, Caller } from "./call.ts"
import type { FunctionRoute } from "./route.ts"

/** Where connections and requests bring their calls. */
export interface CallDesk {
  /** Admits the call that `frame` stands on. Returns undefined when its caller has been told its end already. */
  submit(caller: Caller, frame: FrameReader, route: FunctionRoute): Call | undefined
  /** The caller does not want the call any more; it settles its side itself. Legal at any time. */
  cancel(call: Call): void
  /** The caller is gone. */
  leave(call: Call): void
}
