import { describe, expect, test } from "bun:test"
import { filesVersion, packFiles, unpackFiles } from "../../protocol/files.ts"
import { FILE_PATH_BYTES_MAX } from "../../protocol/limits.ts"
import { refusal } from "../support/sent.ts"

const file = (path: string, text = "text", isExecutable = false) => {
  return { path, bytes: Buffer.from(text), isExecutable }
}

/** A pack with a list that says what it likes. */
function packOf(list: unknown, contents = ""): Uint8Array {
  const text = Buffer.from(JSON.stringify(list))
  const length = Buffer.alloc(4)
  length.writeUInt32LE(text.length)
  return Buffer.concat([Buffer.from("bhf\u0001"), length, text, Buffer.from(contents)])
}

describe("packFiles()", () => {
  test("and unpackFiles() give back what was packed", () => {
    const files = [file("a"), file("b/c", "", true), file("b/ünï code", "x".repeat(1_000))]
    expect(
      unpackFiles(packFiles(files)).map(({ path, bytes, isExecutable }) => [
        path,
        String(bytes),
        isExecutable,
      ]),
    ).toEqual(files.map(({ path, bytes, isExecutable }) => [path, String(bytes), isExecutable]))
    expect(unpackFiles(packFiles([]))).toEqual([])
  })

  test("gives the same version for the same content, in whatever order it was found", () => {
    const [a, b] = [file("a"), file("b")]
    const version = filesVersion(packFiles([a, b]))
    expect(filesVersion(packFiles([b, a]))).toBe(version)
    expect(filesVersion(packFiles([a, file("b", "other")]))).not.toBe(version)
    expect(filesVersion(packFiles([a, file("b", "text", true)]))).not.toBe(version)
    expect(filesVersion(packFiles([a, file("c")]))).not.toBe(version)
  })
})

describe("unpackFiles()", () => {
  test.each([
    "",
    "/etc/passwd",
    "..",
    "../x",
    "a/../../x",
    "a//b",
    "./a",
    "a/.",
    "a/",
    "a\0b",
    "\ud800",
    "x".repeat(FILE_PATH_BYTES_MAX + 1),
  ])("refuses the path %j (U1)", (path) => {
    const { message } = refusal("INVALID_ARGUMENT", () => unpackFiles(packOf([[path, 0, 0]])))
    expect(message).toContain("no path below a folder")
  })

  test.each<[string, Uint8Array]>([
    ["nothing", Buffer.alloc(0)],
    ["other bytes", Buffer.from("bhf\u0002aaaaaaaaaaaaa")],
    ["a list that is cut off", packFiles([file("a")]).subarray(0, 12)],
    ["fewer bytes than it says", packFiles([file("a")]).subarray(0, -1)],
    ["more bytes than it says", Buffer.concat([packFiles([file("a")]), Buffer.from("x")])],
    ["a path twice", packOf([["a", 0, 0], ["a", 0, 0]])], // prettier-ignore
    ["a negative length", packOf([["a", -1, 0], ["b", 1, 0]])], // prettier-ignore
    ["a length that is none", packOf([["a", 0.5, 0]])],
    ["a list of something else", packOf({ a: 1 })],
    ["entries of something else", packOf([1, null])],
  ])("refuses %s (U2)", (_, pack) => {
    refusal("INVALID_ARGUMENT", () => unpackFiles(pack))
  })
})
