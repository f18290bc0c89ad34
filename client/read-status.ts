import { paths } from "../protocol/http.ts"
import type { DaemonStatus } from "../protocol/status.ts"
import type { Control } from "./control.ts"

/** Asks the daemon how it is. The answer is only shown to people, so its shape is taken on trust. */
export async function readStatus(control: Control): Promise<DaemonStatus> {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return (await control.request("GET", paths.status)) as DaemonStatus
}
