import { describe, expect, test } from "bun:test"
import { EnvVariables } from "../../../server/envs/variables.ts"

describe("EnvVariables", () => {
  test("passes on what is listed and nothing else, whatever the daemon was started with", () => {
    const daemon = {
      PATH: "/bin",
      HOME: "/home/a",
      LC_ALL: "C",
      TZ: "UTC",
      BUNHOUSE_TOKEN: "canary",
      BUNHOUSE_NATS_URL: "nats://canary",
      AWS_SECRET_ACCESS_KEY: "canary",
      BUN_OPTIONS: "--preload canary",
      NODE_OPTIONS: "canary",
      LD_PRELOAD: "canary",
      EMPTY: undefined,
    }
    expect(new EnvVariables(daemon, "/state").ofProcess({})).toEqual({
      PATH: "/bin",
      HOME: "/home/a",
      LC_ALL: "C",
      TZ: "UTC",
      BUNHOUSE_HOME: "/state",
      BUNHOUSE_QUIET: "1",
    })
  })
})
