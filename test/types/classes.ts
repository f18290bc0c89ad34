import type { RemoteClass, RemoteInstance, RemoteModule } from "../../client/index.ts"
import { cls, here, module } from "../../client/index.ts"
import { type Equal, expectType } from "./equal.ts"

/** As remote.ts, for classes and modules. */

class Base {
  async inherited(text: string): Promise<string> {
    return text
  }
}

class Model<T extends object = { readonly id: number }> extends Base {
  readonly path: string
  size = 0
  #secret = ""
  protected hidden = 1
  static limit = 10

  constructor(path: string, options?: { readonly threads?: number }) {
    super()
    this.path = path
    this.#secret = path + String(options?.threads)
  }

  get secret(): string {
    return this.#secret
  }

  get both(): number {
    return this.size
  }
  set both(value: number) {
    this.size = value
  }

  async load(name: string, ...rest: number[]): Promise<T[]> {
    throw new Error(name + String(rest))
  }
  resize(width: number, height = width): number {
    return width * height
  }
  first<U>(items: readonly U[]): U | undefined {
    return items[0]
  }
  over(x: "a"): number
  over(x: "b"): string
  over(x: "a" | "b"): number | string {
    return x
  }
  loose: (x: number) => Promise<string> = async (x) => String(x)
  async *stream(): AsyncGenerator<number> {
    yield 1
  }
  *steps(): Generator<number> {
    yield 1
  }
  static async version(major: boolean): Promise<string> {
    return String(major)
  }
  static parse(text: string): number {
    return text.length
  }
}

/** A class with methods of its own by the names of the library's. */
class Cache {
  async get(key: string): Promise<number | undefined> {
    return key.length
  }
  async set(key: string, value: number): Promise<void> {
    throw new Error(key + String(value))
  }
  async release(): Promise<"mine"> {
    return "mine"
  }
}

abstract class Abstract {
  abstract run(): void
}

type Instance = RemoteInstance<Model>
declare const instance: Instance
declare const models: RemoteClass<typeof Model>
declare const cache: RemoteInstance<Cache>

export async function aClassIsOfTheSameType(): Promise<void> {
  expectType<
    Equal<Awaited<ReturnType<ReturnType<typeof cls<typeof Model>>["to"]>>, typeof models>
  >()
  const made = await models.create("a", { threads: 1 })
  // TypeScript knows a generic class by the bound of its type parameter, not by the default.
  expectType<Equal<typeof made, RemoteInstance<Model<object>>>>()
  await models.create("a")
  await models.getOrCreate("name", "a", {})
  expectType<Equal<Awaited<ReturnType<typeof models.get>>, RemoteInstance<Model<object>>>>()
  // @ts-expect-error -- no path
  await models.create()
  // @ts-expect-error -- another type
  await models.create(1)
  // @ts-expect-error -- an unknown option
  await models.create("a", { thread: 1 })
  // @ts-expect-error -- no argument of the constructor
  await models.getOrCreate("name")
  // @ts-expect-error -- a name is text
  await models.get(1)
  // @ts-expect-error -- it cannot be constructed
  cls(Abstract)
  // @ts-expect-error -- it is no class
  cls(() => 1)
  const found = await here.getClass<typeof Model>("env/Model")
  expectType<Equal<typeof found, RemoteClass<typeof Model>>>()
}

export function methodsAreOfTheSameType(): void {
  expectType<Equal<Instance["resize"], Model["resize"]>>()
  expectType<Equal<Instance["load"], Model["load"]>>()
  expectType<Equal<Instance["over"], Model["over"]>>()
  expectType<Equal<Instance["inherited"], Base["inherited"]>>()
  expectType<Equal<Instance["loose"], Model["loose"]>>()
  expectType<Equal<ReturnType<typeof instance.first<string>>, string | undefined>>()
  expectType<Equal<Instance["async"]["resize"], (w: number, h?: number) => Promise<number>>>()
  expectType<Equal<Instance["async"]["load"], Model["load"]>>()
  expectType<Equal<Instance["sync"]["resize"], Model["resize"]>>()
  const loaded = instance.sync.load("a", 1, 2)
  expectType<Equal<typeof loaded, { readonly id: number }[]>>()
  const [a, b] = [instance.over("a"), instance.async.over("b")]
  expectType<Equal<typeof a, number>>()
  expectType<Equal<typeof b, Promise<string>>>()
  // @ts-expect-error -- another type
  instance.resize("1")
  // @ts-expect-error -- an argument more
  instance.resize(1, 2, 3)
  // @ts-expect-error -- no such method
  instance.shrink()
  // @ts-expect-error -- not even an async one
  instance.async.shrink()
  expectType<Equal<Instance["stream"], Model["stream"]>>()
  const [steps, blocking] = [instance.async.steps(), instance.sync.stream()]
  expectType<Equal<typeof steps, AsyncGenerator<number>>>()
  expectType<Equal<typeof blocking, Generator<number>>>()
  // @ts-expect-error -- protected
  void instance.hidden
  // @ts-expect-error -- fields are read with get()
  void instance.size
}

export async function fieldsAreOfTheSameType(): Promise<void> {
  const [size, secret] = [await instance.get("size"), await instance.get("secret")]
  expectType<Equal<typeof size, number>>()
  expectType<Equal<typeof secret, string>>()
  await instance.set("size", 1)
  await instance.set("both", 1)
  // @ts-expect-error -- another type
  await instance.set("size", "1")
  // @ts-expect-error -- readonly
  await instance.set("path", "b")
  // @ts-expect-error -- a getter without a setter
  await instance.set("secret", "b")
  // @ts-expect-error -- a method
  await instance.get("resize")
  // @ts-expect-error -- no such field
  await instance.get("width")
}

export async function aClassKeepsItsOwnNames(): Promise<void> {
  expectType<Equal<(typeof cache)["get"], Cache["get"]>>()
  expectType<Equal<(typeof cache)["set"], Cache["set"]>>()
  expectType<Equal<Awaited<ReturnType<typeof cache.release>>, "mine">>()
  await using scoped = cache
  void scoped.info.id
}

export async function staticsAreOfTheSameType(): Promise<void> {
  expectType<Equal<typeof models.static.version, typeof Model.version>>()
  expectType<Equal<typeof models.static.parse, typeof Model.parse>>()
  expectType<Equal<typeof models.static.async.parse, (text: string) => Promise<number>>>()
  expectType<Equal<typeof models.static.sync.version, (major: boolean) => string>>()
  const limit = await models.static.get("limit")
  expectType<Equal<typeof limit, number>>()
  // @ts-expect-error -- no such method
  models.static.load("a")
  // @ts-expect-error -- the prototype is not a field
  await models.static.get("prototype")
}

type Jobs = typeof import("../integration/fixtures/jobs.ts")
declare const jobs: RemoteModule<Jobs>

export async function aModuleIsOfTheSameType(): Promise<void> {
  expectType<Equal<Awaited<ReturnType<ReturnType<typeof module<Jobs>>["to"]>>, typeof jobs>>()
  expectType<Equal<ReturnType<typeof jobs.resize>, number>>()
  expectType<Equal<Parameters<typeof jobs.resize>, [width: number, factor?: number | undefined]>>()
  const kept = await jobs.identity(["a"] as const)
  expectType<Equal<typeof kept, readonly ["a"]>>()
  expectType<Equal<typeof jobs.LIMITS.max, bigint>>()
  expectType<Equal<typeof jobs.Tally, RemoteClass<Jobs["Tally"]>>>()
  const tally = await jobs.Tally.create(1)
  expectType<Equal<Awaited<ReturnType<typeof tally.add>>, number>>()
  // @ts-expect-error -- another type
  jobs.resize("1")
  // @ts-expect-error -- no such export
  void jobs.shrink
  // @ts-expect-error -- a copy of a value
  jobs.count = 3
  // @ts-expect-error -- not an address
  module<Jobs>(1)
}
