/**
 * The batch system: writes lines to an active file, and rotates it in every way that was met: rename, LSF's copy + unlink +
 * rename, copy-and-truncate, delete of the old ones, and a failover in which another node goes on writing.
 */

import type { Random } from './random.ts'
import type { Scheduler } from './scheduler.ts'
import type { World } from './world.ts'

export interface Writer {
  /** Lines, rotations and failovers, until `untilMs`; then every line is complete and the files are left as they are. */
  run(untilMs: number): Promise<void>
}

export interface WriterOptions {
  nodes: number
  /** The first line of every file is the same. */
  sameHeader: boolean
  /** How often a line is written in two halves. */
  torn: number
  rotations: boolean
  /** Deleting is safe only once everything must have been collected. */
  deletes: boolean
  /** A file is rewritten in place, once it must have been collected. */
  overwrites: boolean
}

const active = 'acct'

export function openWriter(
  parts: { world: World; random: Random; scheduler: Scheduler },
  options: WriterOptions,
): Writer {
  const { world, random, scheduler } = parts
  let written = 0
  let node = 0

  const line = (): Buffer => Buffer.from(`${++written} ${random.hex(20 + random.int(90))}\n`)
  const opening = (): Buffer =>
    options.sameHeader ? Buffer.from('# accounting of one and the same cluster\n') : line()

  const append = async (): Promise<void> => {
    const bytes = Buffer.concat(Array.from({ length: 1 + random.int(4) }, line))
    if (!random.chance(options.torn)) return world.append(active, node, bytes)
    const cut = 1 + random.int(bytes.length - 1)
    world.append(active, node, bytes.subarray(0, cut))
    await scheduler.sleep(random.next() * 900)
    world.append(active, node, bytes.subarray(cut))
  }

  /** Another node takes over, some time after the last write of the one before. */
  const failOver = async (): Promise<void> => {
    await scheduler.sleep(1000 + random.next() * 2000)
    node = random.int(options.nodes)
  }

  /** A file whose only line has no end until long after it counts as final. */
  const writeDocument = (): void => {
    const bytes = line()
    const cut = 1 + random.int(bytes.length - 2)
    world.create('doc', node, bytes.subarray(0, cut))
    const rest = Buffer.concat([bytes.subarray(cut), line(), line()])
    scheduler.after(31_000 + random.int(6000), () => world.append('doc', node, rest))
  }

  const writeReport = (): void => {
    world.create('report', node, Buffer.concat([line(), line()]))
    scheduler.after(20_000 + random.int(6000), () => {
      world.truncate('report', node)
      world.append('report', node, Buffer.concat([line(), line(), line()]))
    })
  }

  const shift = (): void => {
    for (let n = 40; n >= 1; n--) world.rename(`${active}.${n}`, `${active}.${n + 1}`, node)
  }

  const rotate = async (): Promise<void> => {
    const kind = random.int(3)
    if (kind === 0) {
      shift()
      world.rename(active, `${active}.1`, node)
      if (random.chance(0.3)) await scheduler.sleep(random.next() * 1500)
      world.create(active, node, opening())
    } else if (kind === 1) {
      const size = world.inode(active)?.size ?? 0
      for (let copied = 0; copied < size; copied += 1 + random.int(size)) {
        world.copy(active, `${active}.0`, node, copied)
        await scheduler.sleep(random.next() * 300)
      }
      world.copy(active, `${active}.0`, node, size)
      await scheduler.sleep(random.next() * 300)
      world.remove(active, node)
      world.create(active, node, opening())
      shift()
      world.rename(`${active}.0`, `${active}.1`, node)
    } else {
      shift()
      const size = world.inode(active)?.size ?? 0
      world.copy(active, `${active}.1`, node, size)
      world.truncate(active, node)
      await scheduler.sleep(random.next() * 600)
      world.append(active, node, opening())
    }
  }

  return {
    async run(untilMs) {
      if (random.chance(0.2)) writeDocument()
      if (options.overwrites) writeReport()
      if (random.chance(0.3)) {
        world.create(`${active}.1`, node, Buffer.concat([opening(), line(), line()]))
      }
      world.create(active, node, opening())
      while (scheduler.nowMs < untilMs) {
        await scheduler.sleep(random.chance(0.1) ? random.next() * 6000 : random.next() * 700)
        const dice = random.next()
        if (dice < 0.05 && options.rotations) await rotate()
        else if (dice < 0.07) await failOver()
        else await append()
        const last = `${active}.5`
        const rested = scheduler.nowMs - (world.inode(last)?.mtimeMs ?? scheduler.nowMs)
        if (options.deletes && rested > 20_000 && random.chance(0.2)) world.remove(last, node)
      }
    },
  }
}
