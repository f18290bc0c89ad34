import { profile, type SamplingProfile, startSamplingProfiler } from "bun:jsc"
import { programPath } from "../../protocol/root.ts"

/**
 * Looks at the stack of its thread now and then, from outside, so that it can be told afterwards where the thread has
 * been. It is the engine's sampling profiler, of which there is one for each thread: a function that profiles itself
 * meanwhile disturbs it, and is disturbed.
 *
 * A look costs the thread some 0.2 ms, and keeps what it saw from being collected until it is forgotten. One that is
 * told costs 0.2 ms more. The engine's own thread, once it is there, wakes at every interval for good, also while it is off.
 */
export class StackSampler {
  readonly #intervalUs: number
  #isOn = false

  constructor(intervalMs: number) {
    this.#intervalUs = intervalMs * 1_000
  }

  /** Legal while it is on. */
  start(): void {
    this.#isOn = true
    startSamplingProfiler(undefined, this.#intervalUs)
  }

  /** Legal while it is off. */
  stop(): void {
    if (!this.#isOn) return
    this.#isOn = false
    forget(this.#intervalUs)
  }

  /** While it is off: the engine's thread wakes so often only. After `start` it may take as long until it looks. */
  rest(intervalMs: number): void {
    if (!this.#isOn) forget(intervalMs * 1_000)
  }

  /** What was seen until now does not count. Legal while it is off. */
  clear(): void {
    if (!this.#isOn) return
    forget(this.#intervalUs)
    this.start()
  }

  /** The frames of the author's own code, innermost first, in which the thread was seen most often since `clear`. */
  take(): readonly string[] {
    if (!this.#isOn) return []
    // Also of what was seen before it began.
    const { stackTraces } = profile(() => {}, this.#intervalUs)
    this.start()
    return mostFrequent(stackTraces.traces.map(({ frames }) => authorFrames(frames)))
  }
}

/** The quick way: `profile` would put into words what it drops. */
function forget(intervalUs: number): void {
  try {
    void profile((): undefined => {
      throw NOTHING
    }, intervalUs)
  } catch (error) {
    if (error !== NOTHING) throw error
  }
}

const NOTHING = new Error("nothing")

/** Of those that are seen equally often, the latest. */
function mostFrequent(stacks: readonly (readonly string[])[]): readonly string[] {
  const counts = new Map<string, number>()
  let best: readonly string[] = []
  let most = 1
  for (const stack of stacks) {
    if (stack.length === 0) continue
    const key = stack.join("\n")
    const count = (counts.get(key) ?? 0) + 1
    counts.set(key, count)
    if (count < most) continue
    most = count
    best = stack
  }
  return best
}

/** Packages are left out where the author's own files are there as well. */
function authorFrames(frames: readonly Frame[]): readonly string[] {
  const all = frames.filter(isAuthors)
  const own = all.filter(({ sourceURL }) => !sourceURL.includes("/node_modules/"))
  return (own.length > 0 ? own : all).map(frameText)
}

/** Neither native, nor of Bun, nor of this library. */
function isAuthors(frame: Frame): frame is Frame & { readonly sourceURL: string } {
  const { sourceURL } = frame
  return (
    sourceURL?.startsWith("/") === true &&
    !OWN_FOLDERS.some((own) => sourceURL.startsWith(own)) &&
    !OWN_PACKAGES.test(sourceURL)
  )
}

/** As in the stack of an error: `hashAll (/app/jobs.ts:12:5)`. */
function frameText({ name, sourceURL, line, column }: Frame): string {
  const place = `${sourceURL}:${line}:${column}`
  return name === "" ? place : `${name} (${place})`
}

type Frame = SamplingProfile["stackTraces"]["traces"][number]["frames"][number]

const OWN_FOLDERS = ["envs/", "client/", "protocol/", "broker/"].map(programPath)
/** Those that the env process itself runs. Who uses them as well is seen in the frames that call them. */
const OWN_PACKAGES = /\/node_modules\/(?:@nats-io|msgpackr)\//
