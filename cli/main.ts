#!/usr/bin/env bun
import { runCommandLine } from "./arguments.ts"
import { openTerminal } from "./terminal.ts"

// Entry of `bunhouse`. Left by process.exit, because idle connections to the daemon would hold the process for seconds.
const terminal = openTerminal(process.env)
const exitCode = await runCommandLine(process.argv.slice(2), { environment: process.env, terminal })
process.exit(exitCode)
