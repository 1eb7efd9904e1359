/**
 * Thread: all access to one root's files, by synchronous calls, one request after the other.
 *
 * A thread in a system call on a dead mount hears nothing. So the main thread rejects what it waits for and counts the
 * generation up; when the system call returns at last, the next `tick` sees that and abandons the request, requests of that
 * generation still in the queue are dropped, and the answer to the first of them tells the main thread that this one is back.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { messageOf } from '../errors.ts'
import { openExpansions } from './expand.ts'
import { failureOf } from './files-errors.ts'
import { openFlow } from './files-flow.ts'
import { list } from './files-list.ts'
import { type LookTools, look } from './files-look.ts'
import {
  type Answers,
  type FromThread,
  GENERATION,
  PROGRESS,
  type ThreadSetup,
  type ToThread,
} from './files-messages.ts'
import { checkRoot, openRoot } from './files-root.ts'

type Call = ToThread & { kind: 'call' }

const setup = workerData as ThreadSetup
const slots = new Int32Array(setup.shared)
let generation = 0

const flow = openFlow(slots)
const expansions = openExpansions()
const root = openRoot({ name: setup.root, path: setup.path, remote: setup.remote, tick })
const tools: LookTools = { root, flow, expansions, level: setup.level, dropCachedPages: null }

function tick(): void {
  Atomics.add(slots, PROGRESS, 1)
  if (Atomics.load(slots, GENERATION) !== generation) throw new Error('abandoned: the deadline has passed')
}

function reply(message: FromThread, transfer: ArrayBuffer[] = []): void {
  parentPort?.postMessage(message, transfer)
}

let last = Promise.resolve()
parentPort?.on('message', (message: ToThread) => {
  last = last.then(() => receive(message))
})
reply({ kind: 'ready' })

async function receive(message: ToThread): Promise<void> {
  if (message.kind === 'ports') {
    flow.connect(message.ports)
  } else if (message.kind === 'close') {
    flow.close()
    expansions.close()
    reply({ kind: 'closed' })
    parentPort?.close()
  } else {
    await answer(message)
  }
}

async function answer(call: Call): Promise<void> {
  const { id, request } = call
  try {
    generation = call.generation
    tick()
    const { value, transfer } = await perform(call)
    reply({ kind: 'answer', id, value }, transfer)
  } catch (error) {
    const subject = request.op === 'look' ? `${setup.root}/${request.path}` : setup.root
    const failure = failureOf(error, request.op, subject)
    reply({ kind: 'failure', id, failure: { ...failure, message: failure.message || (messageOf(error) ?? '') } })
  }
}

async function perform({ id, request }: Call): Promise<{ value: Answers[keyof Answers]; transfer: ArrayBuffer[] }> {
  if (request.op === 'mount') return { value: checkRoot(root), transfer: [] }
  if (request.op === 'list') return { value: list(root, request.directories.split('\n')), transfer: [] }
  if (request.op === 'stat') {
    const { stat } = await import('./files-stat.ts')
    const columns = stat(root, request.paths.split('\n'), request.fresh)
    return { value: columns, transfer: [columns.sizes.buffer, columns.mtimesNs.buffer, columns.inos.buffer] }
  }
  if (request.request.fresh) tools.dropCachedPages ??= (await import('./libc.ts')).dropCachedPages
  const value = await look(tools, id, request)
  const frame = value.segment?.frame
  return { value, transfer: [value.bytes?.buffer, frame?.buffer].filter((buffer) => buffer !== undefined) }
}
