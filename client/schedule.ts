import { asciiJson } from "../protocol/ascii-json.ts"
import { encodeArgs } from "../protocol/codec/index.ts"
import { Fields } from "../protocol/fields.ts"
import { PAYLOAD_TYPE, paths, SCHEDULE_HEADER } from "../protocol/http.ts"
import { type JobOptions, readJobOptions } from "../protocol/job.ts"
import { checkName } from "../protocol/names.ts"
import type { ScheduleSpec, ScheduleStatus } from "../protocol/schedule.ts"
import { sendingMs } from "./control.ts"
import type { Link } from "./link.ts"
import type { FunctionInfo } from "../protocol/function-spec.ts"

/** How the jobs of a schedule are run, and in which time zone its clock goes. */
export interface ScheduleOptions extends Omit<JobOptions, "id" | "delayMs"> {
  /** Such as "Europe/Berlin". Default: the daemon's own time zone. */
  readonly timeZone?: string
}

export async function putSchedule(
  link: Link,
  name: string,
  cron: string,
  info: FunctionInfo,
  args: readonly unknown[],
  { timeZone, ...job }: ScheduleOptions,
): Promise<ScheduleStatus> {
  checkName("schedule", name)
  const body = encodeArgs(args)
  const spec: ScheduleSpec = {
    cron,
    env: info.env,
    function: info.name,
    job: readJobOptions(job).plan,
    ...(timeZone !== undefined && { timeZone }),
  }
  const headers = { [SCHEDULE_HEADER]: asciiJson(spec) }
  const options = { type: PAYLOAD_TYPE, headers, body, timeoutMs: sendingMs(body) }
  const response = await link.control.send("PUT", paths.schedule(name), options)
  const answer: unknown = await response.json()
  return new Fields("the answer", answer).required("schedule", readScheduleStatus)
}

export async function listSchedules(link: Link): Promise<ScheduleStatus[]> {
  const answer = await link.control.request("GET", paths.schedules)
  const list = new Fields("the list of schedules", answer).list("schedules")
  return list.map((schedule) => readScheduleStatus(new Fields("a schedule", schedule)))
}

export async function removeSchedule(link: Link, name: string): Promise<void> {
  checkName("schedule", name)
  await link.control.request("DELETE", paths.schedule(name))
}

function readScheduleStatus(fields: Fields): ScheduleStatus {
  const given = ["timeZone", "nextAt", "lastJobId", "lastError"].flatMap((key) => {
    const value = fields.optionalText(key)
    return value === undefined ? [] : [[key, value]]
  })
  return {
    name: fields.text("name"),
    cron: fields.text("cron"),
    env: fields.text("env"),
    function: fields.text("function"),
    ...Object.fromEntries(given),
  }
}
