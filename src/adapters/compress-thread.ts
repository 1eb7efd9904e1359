/**
 * Thread: compresses frames for every root of the process. A frame comes from an I/O thread by its port; the compressed one
 * goes to the main thread, and the raw buffer back through the port to be filled again.
 */
import { parentPort } from 'node:worker_threads'
import { compressFrame } from './files-frame.ts'
import { type CompressedFrame, type CompressorSetup, IN_FLIGHT, type RawFrame } from './files-messages.ts'

parentPort?.on('message', ({ port, route, lane, level, shared }: CompressorSetup) => {
  const slots = new Int32Array(shared)
  port.on('message', ({ call, index, buffer, length }: RawFrame) => {
    const bytes = compressFrame(new Uint8Array(buffer, 0, length), level)
    const message: CompressedFrame = { route, call, index, bytes }
    parentPort?.postMessage(message, [bytes.buffer])
    port.postMessage(buffer, [buffer])
    Atomics.sub(slots, lane, 1)
    Atomics.sub(slots, IN_FLIGHT, 1)
    Atomics.notify(slots, IN_FLIGHT)
  })
})
