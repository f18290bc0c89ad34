import { chmodSync, mkdirSync, writeFileSync } from "node:fs"
import { dirname } from "node:path"

/** Writes an executable shell script: a stand-in for a program. Returns its path. */
export function writeScript(path: string, ...lines: string[]): string {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, ["#!/bin/sh", ...lines, ""].join("\n"))
  chmodSync(path, 0o755)
  return path
}
