import { expect, test } from "bun:test"
import { renderEnvDetails } from "../../../cli/render/env-details.ts"
import { makeStyle } from "../../../cli/style.ts"
import { readEnvSpec, shownEnvSpec } from "../../../protocol/env-spec.ts"
import type { EnvStatus, LoopBlock } from "../../../protocol/status.ts"

const plain = makeStyle(false)
const env: EnvStatus = {
  name: "ml",
  state: "ready",
  spec: shownEnvSpec(readEnvSpec("ml", {})),
  retiring: 0,
  crashes: 0,
  running: 0,
  ownCalls: 0,
  queued: 0,
  instances: 0,
  functions: [],
  loopBlocks: [],
}

test("renderEnvDetails() of an env that nobody described shows its limits", () => {
  expect(renderEnvDetails(env, plain)).toBe(
    "ml\n  limits    16384 async calls and 64 threads at a time, 65536 waiting",
  )
})

test("renderEnvDetails() shows which call has blocked the loop last, and where", () => {
  const block: LoopBlock = {
    at: "2026-11-28T08:00:00.000Z",
    ms: 250,
    functions: ["hash"],
    isCertain: true,
    isOver: true,
    delayed: 0,
    stack: ["hashAll (/app/jobs.ts:12:5)", "hash (/app/main.ts:3:10)"],
  }
  const last = [block, { ...block, ms: 9_000 }]
  expect(renderEnvDetails({ ...env, loopBlocks: last }, plain)).toEndWith(
    "\n  blocked   the event loop, by hash, for 250 ms, in hashAll (/app/jobs.ts:12:5), at 2026-11-28T08:00:00.000Z",
  )
  const unsure = [{ ...block, isCertain: false, isOver: false, stack: [] }]
  expect(renderEnvDetails({ ...env, loopBlocks: unsure }, plain)).toEndWith(
    "\n  blocked   the event loop, by probably hash, for 250 ms so far, at 2026-11-28T08:00:00.000Z",
  )
})

test("renderEnvDetails() shows all that a spec says, but no values of variables", () => {
  const spec = readEnvSpec("ml", {
    packages: { sharp: "0.34.5", "is-odd": "3.0.1" },
    vars: { MODE: "x\u001b", KEY: { secret: "canary" } },
    files: { version: "0".repeat(64), bytes: 2_621_440, count: 3 },
    memoryMiB: 512,
    bunArgs: ["--smol"],
    setup: "make\n",
  })
  const shown = renderEnvDetails(
    {
      ...env,
      spec: shownEnvSpec(spec),
      rssBytes: 82 * 1024 * 1024,
      cwd: "/data/\u001b[2J",
      activity: "installing 2 packages",
      retiring: 1,
    },
    plain,
  )
  expect(shown.split("\n")).toEqual([
    "ml",
    "  doing     installing 2 packages",
    "  memory    82 MiB of at most 512 MiB",
    "  limits    16384 async calls and 64 threads at a time, 65536 waiting, 512 MiB",
    "  packages  is-odd@3.0.1, sharp@0.34.5",
    "  vars      KEY, MODE",
    "  cwd       /data/\\x1b[2J",
    "  files     3 files, 2.5 MiB",
    "  bun       --smol",
    "  setup     /bin/sh -c make\\n",
    "  old       1 processes that still finish calls",
  ])
})
