/**
 * All ten exports of a module at once: functions, generators, a class and values.
 *
 *     bunhouse start
 *     bun examples/module-exports.ts
 */
import { here, module } from "bunhouse"

type Jobs = typeof import("./image-jobs.ts")

const jobs = await module<Jobs>(import.meta.resolve("./image-jobs.ts")).to(here)

// Each function as its own type says; async functions share one copy of the module.
console.log("jobs:   ", await jobs.next(), await jobs.next())
console.log(
  "resize: ",
  jobs.resize(800),
  "(blocking)",
  await jobs.resize.async(800, 10),
  "(awaited)",
)

console.log("tiles:  ", ...jobs.tiles(600), "about:", await jobs.about())

// Values are copies of what the module had when it was sent.
console.log("limits: ", jobs.LIMITS)

// Classes are remote classes, and their objects share the module's state, too.
await using report = await jobs.Report.create()
await report.add("first", "second")
console.log("report: ", (await report.text()).split("\n"))

// Anybody finds one function of it by its name.
const resize = await here.get<Jobs["resize"]>("image-jobs.resize")
console.log("found:  ", resize.info.name, await resize.async(3))
