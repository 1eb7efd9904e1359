/**
 * Frames on their way from an I/O thread to the compressors, seen from the I/O thread, which never returns to its event loop
 * while it reads: it posts each frame to the compressor that has fewest, takes returned buffers with `receiveMessageOnPort`,
 * and sleeps on the shared counter when `framesInFlightMax` are under way. So memory is bounded whichever side is slower.
 */
import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads'
import { frameBytesMax } from '../core/segment.ts'
import { GleanerError } from '../errors.ts'
import { compressors, framesInFlightMax, IN_FLIGHT, LANES, type RawFrame } from './files-messages.ts'

const waitMs = 1000
/** A compressor needs milliseconds for a frame; one silent for this long is broken. */
const waitsMax = 60

export interface Flow {
  /** A buffer of `frameBytesMax`, with old bytes in it. */
  take(): Buffer<ArrayBuffer>
  /** Puts back a buffer that was not sent. */
  give(buffer: Buffer<ArrayBuffer>): void
  /** Sends the first `length` bytes as frame `index` of call `call`; the buffer is gone afterwards. */
  send(frame: { call: number; index: number; buffer: Buffer<ArrayBuffer>; length: number }): void
  /** From now on frames go to these. None: nothing is sent until there are others, and no buffer is kept. */
  connect(ports: MessagePort[]): void
  close(): void
}

export function openFlow(slots: Int32Array): Flow {
  let ports: MessagePort[] = []
  const spare: ArrayBuffer[] = []

  return {
    take() {
      if (spare.length === 0) collect(ports, spare)
      return Buffer.from(spare.pop() ?? new ArrayBuffer(frameBytesMax))
    },
    give(buffer) {
      if (spare.length < framesInFlightMax) spare.push(buffer.buffer)
    },
    send({ call, index, buffer, length }) {
      waitForRoom(slots)
      const lane = leastBusy(slots)
      const port = ports[lane]
      if (port === undefined) throw new GleanerError('internal', { operation: 'compress', subject: 'frame' })
      Atomics.add(slots, LANES + lane, 1)
      Atomics.add(slots, IN_FLIGHT, 1)
      const frame: RawFrame = { call, index, buffer: buffer.buffer, length }
      port.postMessage(frame, [buffer.buffer])
    },
    connect(fresh) {
      for (const port of ports) port.close()
      ports = fresh
      spare.length = 0
      slots.fill(0, LANES, LANES + compressors)
      Atomics.store(slots, IN_FLIGHT, 0)
    },
    close() {
      for (const port of ports) port.close()
    },
  }
}

/** In turn they would all wait for one that the system holds up. */
function leastBusy(slots: Int32Array): number {
  const lanes = Array.from({ length: compressors }, (_, lane) => Atomics.load(slots, LANES + lane))
  return lanes.indexOf(Math.min(...lanes))
}

function collect(ports: MessagePort[], spare: ArrayBuffer[]): void {
  for (const port of ports) {
    for (let got = receiveMessageOnPort(port); got !== undefined; got = receiveMessageOnPort(port)) {
      spare.push(got.message as ArrayBuffer)
    }
  }
}

function waitForRoom(slots: Int32Array): void {
  for (let waits = 0; waits < waitsMax; waits++) {
    const under = Atomics.load(slots, IN_FLIGHT)
    if (under < framesInFlightMax) return
    Atomics.wait(slots, IN_FLIGHT, under, waitMs)
  }
  const message = `no frame was compressed for ${(waitsMax * waitMs) / 1000} s`
  throw new GleanerError('internal', { operation: 'compress', subject: 'frame', message })
}
