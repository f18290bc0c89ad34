import { Control } from "../../client/control.ts"
import { Fields } from "../../protocol/fields.ts"
import { readFunctionInfo } from "../../protocol/function-spec.ts"
import { paths } from "../../protocol/http.ts"
import type { Answer, Cli } from "../command.ts"
import { daemonAddress } from "../daemon/find.ts"
import { renderFunctions } from "../render/functions.ts"

/** `bunhouse ls`: every function that was sent, with what the daemon knows of it. */
export async function ls({ environment, terminal }: Cli): Promise<Answer> {
  const control = new Control(() => daemonAddress(environment))
  const answer = await control.request("GET", paths.functions, undefined, ANSWER_MS_MAX)
  const functions = new Fields("the list of functions", answer)
    .list("functions")
    .map(readFunctionInfo)
  if (functions.length === 0) {
    terminal.say("bunhouse: no function was sent yet; send one with `fn(…).to(here)`")
    return { document: { functions }, text: "" }
  }
  return { document: { functions }, text: renderFunctions(functions, terminal.style) }
}

const ANSWER_MS_MAX = 5_000
