/** One zstd frame from at most 1 MiB of raw bytes, in memory of its own (so that it can be transferred between threads). */
import { constants, zstdCompressSync } from 'node:zlib'

export function compressFrame(raw: Uint8Array, level: number): Uint8Array<ArrayBuffer> {
  // A chunk that holds any result: then zstd reads the input where it lies, in one pass, instead of through a window of its own.
  const chunkSize = compressedBytesMax(raw.length)
  const params = { [constants.ZSTD_c_compressionLevel]: level }
  const out = zstdCompressSync(raw, { chunkSize, params })
  const bytes = new Uint8Array(out)
  // The chunk is freed now; left to the collector, hundreds of 1 MiB pile up. (Memory of another size is Node's shared pool.)
  if (out.buffer instanceof ArrayBuffer && out.buffer.byteLength === chunkSize) out.buffer.transfer(0)
  return bytes
}

/** ZSTD_COMPRESSBOUND of zstd.h, and a little for small inputs. */
function compressedBytesMax(bytes: number): number {
  return bytes + (bytes >> 8) + 64
}
