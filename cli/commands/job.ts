import { Job } from "../../client/job.ts"
import { Link } from "../../client/link.ts"
import { BunhouseError, toErrorRecord } from "../../protocol/errors.ts"
import { type Answer, type Cli, failureText } from "../command.ts"
import { daemonAddress } from "../daemon/find.ts"
import { EXIT_THROWN, exitOf } from "../exit-codes.ts"
import { renderJob } from "../render/jobs.ts"
import { renderThrown } from "../render/thrown.ts"

/** `bunhouse job <id>`: how a job is, and what it returned or threw once it has ended; `--cancel` ends it first. */
export async function job(
  { environment, terminal }: Cli,
  id: string,
  isCancelled: boolean,
): Promise<Answer> {
  const handle = new Job(new Link(daemonAddress(environment), environment), id)
  const status = isCancelled ? await handle.cancel() : await handle.status()
  const facts = renderJob(status, terminal.style, Date.now())
  if (status.endedAt === undefined) return { document: { job: status }, text: facts }
  const outcome = await outcomeOf(handle)
  if (outcome.kind === "returned") {
    const { value } = outcome
    const text = value === undefined ? "" : shown(value, terminal.isInteractive)
    return {
      document: { job: status, result: asJson(value) },
      text: `${facts}\n\n${text}`.trimEnd(),
    }
  }
  const { thrown } = outcome
  if (thrown instanceof BunhouseError) {
    terminal.say(failureText(thrown))
    const document = { job: status, error: toErrorRecord(thrown) }
    // A job that was asked to end has done so.
    return { document, text: facts, exitCode: isCancelled ? 0 : exitOf(thrown) }
  }
  const error = plain(thrown, CAUSES_MAX)
  terminal.say(renderThrown(error, `${status.env}/${status.function}`, terminal.messageStyle))
  return { document: { job: status, error }, text: facts, exitCode: EXIT_THROWN }
}

type Outcome =
  | { readonly kind: "returned"; readonly value: unknown }
  | { readonly kind: "threw"; readonly thrown: unknown }

async function outcomeOf(handle: Job): Promise<Outcome> {
  try {
    return { kind: "returned", value: await handle.result() }
  } catch (thrown) {
    return { kind: "threw", thrown }
  }
}

const CAUSES_MAX = 8

/** What was thrown in the form in which `bunhouse call` gets it. */
function plain(thrown: unknown, causesMax: number): unknown {
  if (!Error.isError(thrown)) return { value: asJson(thrown) }
  const { name, message, stack, cause } = thrown
  const hasCause = cause !== undefined && causesMax > 0
  return { name, message, stack, ...(hasCause && { cause: plain(cause, causesMax - 1) }) }
}

/** The value itself where JSON can say it, else the text that shows it. */
function asJson(value: unknown): unknown {
  try {
    return JSON.stringify(value) === undefined ? null : value
  } catch {
    return Bun.inspect(value)
  }
}

function shown(value: unknown, isInteractive: boolean): string {
  try {
    return JSON.stringify(value, null, isInteractive ? 2 : 0)
  } catch {
    return Bun.inspect(value)
  }
}
