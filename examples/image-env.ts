/**
 * An env with packages of its own: `sharp`, which this program has not installed, makes thumbnails in another process.
 * The first run installs it, which the library shows; later runs find it there.
 *
 *     bunhouse start
 *     bun examples/image-env.ts
 */
import { crc32, deflateSync } from "node:zlib"
import { fn, here } from "bunhouse"

const images = here.env("images", {
  packages: { sharp: "0.35.5" },
  vars: { UV_THREADPOOL_SIZE: "2" },
  memoryMiB: 1_024,
})

// Packages of the env are imported inside of the function: they are there and not here.
const thumbnail = await fn(async function thumbnail(picture: Uint8Array, width: number) {
  // TypeScript knows packages that are installed here; this one is not.
  const name = "sharp"
  const { default: sharp } = await import(name)
  const made: Uint8Array = await sharp(picture).resize({ width }).png().toBuffer()
  return made
}).to(images)

const picture = gradient(320, 200)
const small = await thumbnail(picture, 64)
console.log(`from ${sizeOf(picture)} to ${sizeOf(small)}`)

const { state, spec, cwd } = (await images.status()) ?? {}
console.log(`env images is ${state}, with sharp ${spec?.packages["sharp"]}, in ${cwd}`)

/** A picture, as a PNG file: red to the right, green downwards. */
function gradient(width: number, height: number): Uint8Array {
  const rows: number[] = []
  for (let y = 0; y < height; y++) {
    rows.push(0)
    for (let x = 0; x < width; x++) {
      rows.push(Math.floor((255 * x) / width), Math.floor((255 * y) / height), 128)
    }
  }
  const header = Buffer.alloc(13)
  header.writeUInt32BE(width, 0)
  header.writeUInt32BE(height, 4)
  header.set([8, 2], 8) // 8 bits for each of red, green and blue
  const signature = Buffer.from([0x89, ...Buffer.from("PNG\r\n\u001a\n")])
  const data = deflateSync(Uint8Array.from(rows))
  return Buffer.concat([signature, chunk("IHDR", header), chunk("IDAT", data), chunk("IEND")])
}

function chunk(type: string, content: Uint8Array = new Uint8Array()): Buffer {
  const bytes = Buffer.alloc(12 + content.length)
  bytes.writeUInt32BE(content.length, 0)
  bytes.write(type, 4)
  bytes.set(content, 8)
  bytes.writeUInt32BE(crc32(bytes.subarray(4, -4)), bytes.length - 4)
  return bytes
}

/** From the header of a PNG file. */
function sizeOf(png: Uint8Array): string {
  const view = new DataView(png.buffer, png.byteOffset)
  return `${view.getUint32(16)} x ${view.getUint32(20)}`
}
