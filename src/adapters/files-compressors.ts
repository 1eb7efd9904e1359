/**
 * The compressor threads, at most two, shared by all roots of the process: started when the first segment of more than one frame
 * is read, ended when the last root that used them is closed or has had no use for them for a while. Where one breaks, every route is told and they start anew.
 */
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads'
import { type CompressedFrame, type CompressorSetup, compressors, LANES } from './files-messages.ts'

export interface Route {
  level: number
  shared: SharedArrayBuffer
  /** A frame is compressed; frames of one call come in any order. */
  onFrame(frame: CompressedFrame): void
  /** The compressors are gone, with all frames in them. The route is closed. */
  onBroken(cause: unknown): void
}

let pool: Worker[] = []
let routeCount = 0
const routes = new Map<number, Route>()

/** Gives the ports that the root's I/O thread sends frames to, and a function that ends the route. */
export function connectCompressors(route: Route): { ports: MessagePort[]; disconnect: () => void } {
  if (pool.length === 0) pool = Array.from({ length: compressors }, start)
  const id = routeCount++
  routes.set(id, route)
  const ports = pool.map((worker, index) => {
    const { port1, port2 } = new MessageChannel()
    const { level, shared } = route
    const setup: CompressorSetup = { port: port2, route: id, lane: LANES + index, level, shared }
    worker.postMessage(setup, [port2])
    return port1
  })
  return { ports, disconnect: () => disconnect(id) }
}

function start(): Worker {
  const worker = new Worker(new URL('./compress-thread.ts', import.meta.url), {
    name: 'compress',
    resourceLimits: { maxYoungGenerationSizeMb: 2, maxOldGenerationSizeMb: 64 },
  })
  worker.unref()
  worker.on('message', (frame: CompressedFrame) => routes.get(frame.route)?.onFrame(frame))
  worker.on('error', (cause) => broken(worker, cause))
  return worker
}

function broken(worker: Worker, cause: unknown): void {
  if (!pool.includes(worker)) return
  const told = [...routes.values()]
  routes.clear()
  end()
  for (const route of told) route.onBroken(cause)
}

function disconnect(id: number): void {
  routes.delete(id)
  if (routes.size === 0) end()
}

function end(): void {
  for (const worker of pool.splice(0)) void worker.terminate()
}
