import { Control } from "../../client/control.ts"
import { BunhouseError } from "../../protocol/errors.ts"
import { homeRoot } from "../../protocol/home.ts"
import { paths } from "../../protocol/http.ts"
import type { DaemonStatus } from "../../protocol/status.ts"
import type { Answer, Cli } from "../command.ts"
import { daemonAddress } from "../daemon/find.ts"
import { exitOf } from "../exit-codes.ts"
import { renderStatus } from "../render/status.ts"

/** `bunhouse status`: that no daemon runs is an answer too, with an exit code of its own. */
export async function status({ environment, terminal }: Cli): Promise<Answer> {
  try {
    const control = new Control(() => daemonAddress(environment))
    // The answer is only shown to people, so its shape is taken on trust.
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    const answer = (await control.request(
      "GET",
      paths.status,
      undefined,
      ANSWER_MS_MAX,
    )) as DaemonStatus
    return {
      document: { running: true, ...answer },
      text: renderStatus(answer, terminal.style, Date.now()),
      ...suggestionFor(answer),
    }
  } catch (error) {
    if (!(error instanceof BunhouseError) || error.code !== "NO_DAEMON") throw error
    terminal.say(`bunhouse: ${error.message}`)
    const document = { running: false, home: homeRoot(environment), reason: error.message }
    return { document, text: "", exitCode: exitOf(error) }
  }
}

/** An env that is in trouble has said why. */
function suggestionFor({ envs }: DaemonStatus): Pick<Answer, "suggestion"> {
  const ill = envs.find(({ reason }) => reason !== undefined)
  return ill === undefined ? {} : { suggestion: `see \`bunhouse logs ${ill.name}\`` }
}

const ANSWER_MS_MAX = 5_000
