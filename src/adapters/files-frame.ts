/** One zstd frame from at most 1 MiB of raw bytes, in memory of its own (so that it can be transferred between threads). */
import { constants, zstdCompressSync } from 'node:zlib'

export function compressFrame(raw: Uint8Array, level: number): Uint8Array<ArrayBuffer> {
  // One output chunk that holds any result (ZSTD_COMPRESSBOUND): with the default 16 KiB the calls cost more than the work.
  const chunkSize = raw.length + (raw.length >>> 8) + 1024
  const params = { [constants.ZSTD_c_compressionLevel]: level }
  return new Uint8Array(zstdCompressSync(raw, { chunkSize, params }))
}
