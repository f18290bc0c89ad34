import { describe, expect, test } from "bun:test"
import { isMethodCalledAsync, readWords } from "../../../client/code/words.ts"

describe("readWords()", () => {
  test.each([
    ["function f() {}", "named", false],
    ["function() {}", "unnamed", false],
    ["function () {}", "unnamed", false],
    ["function/*c*/f/*c*/() {}", "named", false],
    ["function // c\n f() {}", "named", false],
    ["function größe() {}", "named", false],
    ["function $() {}", "named", false],
    ["async function f() {}", "named", true],
    ["async function() {}", "unnamed", true],
    ["() => 1", "unnamed", false],
    ["(a, b = '=>') => 1", "unnamed", false],
    ["a => 1", "unnamed", false],
    ["async => 1", "unnamed", false],
    ["get => 1", "unnamed", false],
    ["async () => 1", "unnamed", true],
    ["async a => 1", "unnamed", true],
    ["async/**/(a = [')']) /* x */ => 1", "unnamed", true],
    ["async (a = '\\')') => 1", "unnamed", true],
    ["async(a = (1)) { }", "method", false],
    ["async async(a) { }", "method", true],
    ["async function$() { }", "method", true],
    ["functional() {}", "method", false],
    ["function$() {}", "method", false],
    ["get() {}", "method", false],
    ["get /* c */ () {}", "method", false],
    ["getter() {}", "method", false],
    ["get x() {}", "getter", false],
    ["get [x]() {}", "getter", false],
    ["set 'x'(v) {}", "setter", false],
    ["async get() {}", "method", true],
    ["static() {}", "method", false],
    ["'a b'() {}", "method", false],
    ['"a\\"(b"() {}', "method", false],
    ["[a['b']]() {}", "method", false],
    ["async[Symbol.iterator]() {}", "method", true],
    ["12.5e3() {}", "method", false],
    ["function* f() {}", "named", false],
    ["function*() {}", "unnamed", false],
    ["async function/*c*/*/*c*/f() {}", "named", true],
    ["*m() {}", "method", false],
    ["async* m() {}", "method", true],
    ["* [a['b']]() {}", "method", false],
    ["*get() {}", "method", false],
    ["*#p() {}", "private method", false],
    ["#p() {}", "private method", false],
    ["async#p() {}", "private method", true],
    ["[a('](') {}", "unknown", false],
    ["", "unknown", false],
    ["=> 1", "unknown", false],
    ["}); process.exit(", "unknown", false],
  ])("reads %p as %s", (code, form, isAsync) => {
    expect(readWords(code)).toMatchObject({ form, isAsync })
  })

  test("tells generators by their star", () => {
    for (const code of [
      "function* f() {}",
      "function*() {}",
      "*m() {}",
      "async *m() {}",
      "* #p() {}",
    ]) {
      expect(readWords(code).isGenerator).toBe(true)
    }
    for (const code of [
      "function f() { yield * 2 }",
      "m() {}",
      "async () => a * b",
      "(a) => a * 2",
    ]) {
      expect(readWords(code).isGenerator).toBe(false)
    }
  })

  test("says where the parameters of a method begin", () => {
    for (const code of [
      "m(a) {}",
      "async m (a) {}",
      "['('](a) {}",
      "'('(a) {}",
      "*m(a) {}",
      "async /* ( */ * /* ( */ m(a) {}",
      "async /* ( */ m /* ( */ (a) {}",
    ]) {
      expect(code.slice(readWords(code).parameters)).toBe("(a) {}")
    }
  })

  test("takes no longer for texts that are made to mislead it", () => {
    const started = performance.now()
    for (const part of ["/* a */", "// a\n", " ", "(", "[", "'", "a"]) {
      readWords(`async ${part.repeat(20_000)}`)
      readWords(`${part.repeat(20_000)}!`)
    }
    expect(performance.now() - started).toBeLessThan(1000)
  })
})

describe("isMethodCalledAsync()", () => {
  test("tells the method from the arrow function", () => {
    expect(isMethodCalledAsync("async(a) { }")).toBe(true)
    for (const code of [
      "async (a) => 1",
      "async => 1",
      "async a => 1",
      "async m(a) {}",
      "(a) => 1",
      "asynchronous(a) {}",
    ]) {
      expect(isMethodCalledAsync(code)).toBe(false)
    }
  })
})
