import { FrameType, FrameWriter } from "../../protocol/frame.ts"
import type { RunningCall } from "../call-context.ts"
import { logLine } from "./log-line.ts"
import { LogWriter } from "./log-writer.ts"
import { OutputLog } from "./output-log.ts"

/**
 * What the functions of a thread print. `post` hands the log frame that the writer holds to the pool at once, ahead of the
 * reply, and the pool passes it on as it is. It empties the writer, and says false where there is no room.
 */
export function threadOutput(
  current: () => RunningCall | undefined,
  post: (writer: FrameWriter) => boolean,
): OutputLog {
  const writer = new FrameWriter()
  const log = new LogWriter()
  return new OutputLog({
    current,
    write: (call, stream, timeMs, json) => log.write(logLine(call, stream, timeMs, json), timeMs),
    send: ({ id }, lines, dropped, payload) => {
      writer.writeText(FrameType.log, id, lines, dropped, 0, payload)
      return post(writer)
    },
  })
}
