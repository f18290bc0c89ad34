import type { Server } from "bun"
import type { Elysia } from "elysia"
import { BunhouseError } from "../../protocol/errors.ts"
import { Fields } from "../../protocol/fields.ts"
import { BYTES_TYPE, OBJECT_HEADER, PAYLOAD_TYPE, paths } from "../../protocol/http.ts"
import { OBJECT_TTL_MS_DEFAULT } from "../../protocol/limits.ts"
import {
  checkObjectName,
  checkTtlMs,
  type ObjectInfo,
  type PutOptions,
  readUploadRequest,
} from "../../protocol/object.ts"
import type { Objects } from "../objects/objects.ts"
import { jsonResponse } from "./answer.ts"
import { readBody, readJsonBody } from "./body.ts"
import { downloadStream } from "./download-stream.ts"

/** Routes of objects and of uploads in parts. What is put and fetched passes through undecoded. */
export function objectRoutes(app: Elysia, objects: Objects): void {
  const objectPath = "/v1/objects/:object"
  app
    .get(paths.objects, async () => jsonResponse(await objects.list()))
    .post(paths.objects, async ({ request }) => {
      const options = putOptionsOf(request, undefined)
      return jsonResponse({ object: await objects.putWhole(options, await readBody(request)) })
    })
    .put(objectPath, async ({ request }) => {
      const name = keyIn(request)
      checkObjectName(name)
      const options = putOptionsOf(request, name)
      return jsonResponse({ object: await objects.putWhole(options, await readBody(request)) })
    })
    .get(objectPath, async ({ request, server }) => {
      patient(server, request)
      const download = await objects.read(keyIn(request))
      return contentResponse(download.info, await downloadStream(download))
    })
    .delete(objectPath, async ({ request }) => {
      await objects.delete(keyIn(request))
      return jsonResponse({ deleted: true })
    })
    .get(`${objectPath}/info`, async ({ request }) => {
      return jsonResponse({ object: await objects.info(keyIn(request)) })
    })
    .post(`${objectPath}/rename`, async ({ request }) => {
      const fields = new Fields("the new name", await readJsonBody(request))
      const to = fields.text("to")
      fields.done()
      return jsonResponse({ object: await objects.rename(keyIn(request), to) })
    })
  uploadRoutes(app, objects)
}

function uploadRoutes(app: Elysia, objects: Objects): void {
  const uploadPath = "/v1/uploads/:upload"
  app
    .post(paths.uploads, async ({ request }) => {
      return jsonResponse(await objects.begin(readUploadRequest(await readJsonBody(request))))
    })
    .put(uploadPath, async ({ request }) => {
      const at = wholeIn(new URL(request.url).searchParams, "at") ?? 0
      const bytes = await objects.append(keyIn(request), at, await readBody(request))
      return jsonResponse({ bytes })
    })
    .post(`${uploadPath}/commit`, async ({ request }) => {
      const fields = new Fields("the end of an upload", await readJsonBody(request))
      const sha256 = fields.text("sha256")
      fields.done()
      return jsonResponse({ object: await objects.commit(keyIn(request), sha256) })
    })
    .delete(uploadPath, ({ request }) => {
      objects.abandon(keyIn(request))
      return jsonResponse({ deleted: true })
    })
}

/** The id or name in a path, decoded here and only here, so that what was checked is what is used. */
function keyIn(request: Request): string {
  const [, , , key = ""] = new URL(request.url).pathname.split("/")
  try {
    return decodeURIComponent(key)
  } catch (cause) {
    throw new BunhouseError("INVALID_ARGUMENT", "a name in the path is not well encoded", { cause })
  }
}

function putOptionsOf(request: Request, name: string | undefined): PutOptions {
  const type = request.headers.get("content-type")?.split(";")[0]?.trim().toLowerCase()
  const ttlMs = wholeIn(new URL(request.url).searchParams, "ttlMs") ?? OBJECT_TTL_MS_DEFAULT
  return { type: type === PAYLOAD_TYPE ? "value" : "bytes", name, ttlMs: checkTtlMs(ttlMs) }
}

function wholeIn(query: URLSearchParams, name: string): number | undefined {
  const given = query.get(name)
  if (given === null) return undefined
  if (/^\d{1,15}$/.test(given)) return Number(given)
  const got = JSON.stringify(given.slice(0, 40))
  throw new BunhouseError("INVALID_ARGUMENT", `expected ${name} to be a whole number, got ${got}`)
}

function contentResponse(info: ObjectInfo, body: ReadableStream<Uint8Array>): Response {
  return new Response(body, {
    headers: {
      "content-type": info.type === "value" ? PAYLOAD_TYPE : BYTES_TYPE,
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
      [OBJECT_HEADER]: inAscii(info),
    },
  })
}

/** Names may be any Unicode, headers may not. */
function inAscii(info: ObjectInfo): string {
  return JSON.stringify(info).replace(
    /[^\x20-\x7e]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  )
}

/** The stream has an idle limit of its own (DOWNLOAD_IDLE_MS_MAX). */
function patient(server: Server<unknown> | null, request: Request): void {
  server?.timeout(request, 0)
}
