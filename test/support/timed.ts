import { Deadlines, type Timed } from "../../protocol/deadlines.ts"
import { FakeClock } from "./fake-clock.ts"

/** Something with a deadline that notes when it was due. */
export class Entry implements Timed<Entry> {
  dueAt = 0
  timedList: Timed<Entry>["timedList"] = undefined
  timedNext: Entry | undefined = undefined
  timedPrevious: Entry | undefined = undefined
  timeoutMs = 0
  dueTimes: number[] = []
}

/** Deadlines on a clock of the test. */
export function setUp(onDue: (entry: Entry) => void = () => {}) {
  const clock = new FakeClock()
  const list = new Deadlines<Entry>((entry) => {
    entry.dueTimes.push(clock.now())
    onDue(entry)
  }, clock)
  const add = (timeoutMs: number, entry = new Entry()): Entry => {
    entry.timeoutMs = timeoutMs
    list.add(entry, timeoutMs)
    return entry
  }
  return { clock, list, add }
}

/** The latest moment that D2 allows, with timers that are on time to the millisecond. */
export function latest(entry: Entry): number {
  return entry.dueAt + Math.max(1, entry.timeoutMs / 64) + 1
}
