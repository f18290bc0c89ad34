import { Cron } from "croner"
import { BunhouseError } from "../../protocol/errors.ts"

/**
 * The first tick of a cron expression after `time` (milliseconds since 1970); undefined when there is none.
 *
 * @throws {BunhouseError} INVALID_ARGUMENT for an expression or a time zone that is none.
 */
export function nextTick(
  cron: string,
  timeZone: string | undefined,
  time: number,
): number | undefined {
  try {
    const options = { paused: true, mode: "5-or-6-parts" } as const
    const schedule = new Cron(
      cron,
      timeZone === undefined ? options : { ...options, timezone: timeZone },
    )
    return schedule.nextRun(new Date(time))?.getTime()
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    const what = timeZone === undefined ? "" : ` in the time zone ${JSON.stringify(timeZone)}`
    const message = `${JSON.stringify(cron)}${what} is no schedule: ${reason}`
    throw new BunhouseError("INVALID_ARGUMENT", message, { cause })
  }
}
