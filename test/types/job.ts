import type { Job, JobStatus, LogLine, Remote, ScheduleStatus } from "../../client/index.ts"
import { here } from "../../client/index.ts"
import { type Equal, expectType } from "./equal.ts"

/** What TypeScript says of jobs, held by `bun check`: this file is never run. */

declare const add: Remote<(a: number, b?: number) => Promise<number>>
declare const shout: Remote<(text: string) => string>

expectType<Equal<ReturnType<typeof add.start>, Promise<Job<number>>>>()
expectType<Equal<ReturnType<typeof shout.start>, Promise<Job<string>>>>()
expectType<Equal<Parameters<typeof add.start>, [a: number, b?: number | undefined]>>()

const job = here.job<number>("x")
expectType<Equal<typeof job, Job<number>>>()
const result = job.result({ timeoutMs: 1 })
expectType<Equal<typeof result, Promise<number>>>()
const lines = job.logs({ follow: true })
expectType<Equal<typeof lines, AsyncGenerator<LogLine, void, undefined>>>()
const status = job.cancel()
expectType<Equal<typeof status, Promise<JobStatus>>>()
const schedule = here.schedule("nightly", "0 3 * * *", add, [1], { timeZone: "UTC" })
expectType<Equal<typeof schedule, Promise<ScheduleStatus>>>()

// @ts-expect-error: the arguments are those of the function
void here.schedule("nightly", "0 3 * * *", add, ["1"])
// @ts-expect-error: as for a call
void shout.start(1)
