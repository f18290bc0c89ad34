import { paths } from "../protocol/http.ts"
import type { Link } from "./link.ts"
import { notice } from "./notices.ts"

/**
 * Waits for `work`, which has the daemon prepare an env, and says meanwhile what the daemon is doing to it: "installing 3
 * packages for env ml…".
 */
export async function withProgress<T>(link: Link, env: string, work: Promise<T>): Promise<T> {
  let isOver = false
  // Nobody waits for it: it only shows, never rejects, and ends by itself.
  void watch(link, env, () => isOver)
  try {
    return await work
  } finally {
    isOver = true
  }
}

async function watch(link: Link, env: string, isOver: () => boolean): Promise<void> {
  let said: string | undefined
  await Bun.sleep(FIRST_LOOK_MS)
  while (!isOver()) {
    const activity = await activityOf(link, env)
    if (activity !== undefined && activity !== said && !isOver()) {
      notice(`${activity} for env ${env}…`)
    }
    said = activity
    await Bun.sleep(LOOK_MS)
  }
}

async function activityOf(link: Link, env: string): Promise<string | undefined> {
  try {
    const path = paths.env(env)
    const status = await link.control.request("GET", path, undefined, LOOK_TIMEOUT_MS, false)
    if (typeof status !== "object" || status === null || !("activity" in status)) return undefined
    return typeof status.activity === "string" ? status.activity : undefined
  } catch {
    // The request that is waited for tells what is wrong.
    return undefined
  }
}

const FIRST_LOOK_MS = 250
const LOOK_MS = 500
const LOOK_TIMEOUT_MS = 5_000
