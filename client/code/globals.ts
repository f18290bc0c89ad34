/**
 * The names that every Bun process has without any import: the properties of `globalThis` and of its prototypes.
 *
 * A list, because the process that sends may have more: globals of its own, of a preload, of a test runner. A test
 * compares it with a bare process and prints what has to be added or dropped after an update of Bun.
 */
export function isGlobal(name: string): boolean {
  return GLOBALS.has(name)
}

/** As of Bun 1.4.5. */
export const GLOBALS: ReadonlySet<string> = new Set(
  `
  AbortController AbortSignal AggregateError Array ArrayBuffer AsyncDisposableStack Atomics BigInt
  BigInt64Array BigUint64Array Blob Boolean BroadcastChannel Buffer BuildError BuildMessage Bun
  ByteLengthQueuingStrategy CloseEvent CompressionStream CountQueuingStrategy Crypto CryptoKey CustomEvent
  DOMException DataView Date DecompressionStream DisposableStack Error ErrorEvent EvalError Event EventTarget
  File FinalizationRegistry Float16Array Float32Array Float64Array FormData Function HTMLRewriter Headers
  Infinity Int16Array Int32Array Int8Array Intl Iterator JSON Map Math MessageChannel MessageEvent
  MessagePort NaN Number Object Performance PerformanceEntry PerformanceMark PerformanceMeasure
  PerformanceObserver PerformanceObserverEntryList PerformanceResourceTiming PerformanceServerTiming
  PerformanceTiming Promise Proxy RangeError ReadableByteStreamController ReadableStream
  ReadableStreamBYOBReader ReadableStreamBYOBRequest ReadableStreamDefaultController
  ReadableStreamDefaultReader ReferenceError Reflect RegExp Request ResolveError ResolveMessage Response Set
  ShadowRealm SharedArrayBuffer String SubtleCrypto SuppressedError Symbol SyntaxError Temporal TextDecoder
  TextDecoderStream TextEncoder TextEncoderStream TransformStream TransformStreamDefaultController TypeError
  URIError URL URLPattern URLSearchParams Uint16Array Uint32Array Uint8Array Uint8ClampedArray WeakMap
  WeakRef WeakSet WebAssembly WebSocket Worker WritableStream WritableStreamDefaultController
  WritableStreamDefaultWriter __defineGetter__ __defineSetter__ __lookupGetter__ __lookupSetter__ __proto__
  addEventListener alert atob btoa clearImmediate clearInterval clearTimeout confirm console constructor
  crypto decodeURI decodeURIComponent dispatchEvent encodeURI encodeURIComponent escape eval fetch global
  globalThis hasOwnProperty isFinite isNaN isPrototypeOf navigator onerror onmessage parseFloat parseInt
  performance postMessage process prompt propertyIsEnumerable queueMicrotask removeEventListener reportError
  self setImmediate setInterval setTimeout structuredClone toLocaleString toString undefined unescape valueOf
  `
    .trim()
    .split(/\s+/),
)
