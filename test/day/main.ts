/**
 * `npm run day -- [--speed 100] [--records 300000] [--json] [--keep]`: a day of two clusters, played fast, with `gleaner run` as a real process.
 *
 * Redis is killed and comes back with its data, the store's mount and a root's mount are taken away and come back, each for ten minutes of
 * the day (six seconds at 100 times as fast), while both clusters write and rotate. Then it is asked whether
 *
 *   the status page   told each, in the order in which they happened, and cleared each, and told nothing else
 *   the alerts        likewise: a real Prometheus, with the rules of infra/prometheus and every duration in them divided (rules.ts)
 *   the counts        are exact: each line that was written once in the archive and once in the stream, byte for byte
 *   the commands      `verify --files` finds nothing, and no anomaly is open
 *
 * It needs root, for its mounts, and bindfs, redis-server, prometheus and zstd. The mounts are in a namespace of their own and end with it.
 * Exit status: 0, or 1 where something was told otherwise or not counted; the directory with all logs is kept then.
 */

import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { parseArgs } from 'node:util'
import { planDay } from './plan.ts'
import { playDay } from './play.ts'
import { textOf } from './report.ts'

const usage = 'usage: npm run day -- [--speed N] [--records N] [--json] [--keep]\n'
const programs = ['bindfs', 'prometheus', 'redis-server', 'setpriv', 'unshare', 'zstd']

const options = optionsOf(process.argv.slice(2))
if (options === null) stop(usage)
else if (options.inside) await play(options)
else await enclose()

interface Options {
  speed: number
  records: number
  json: boolean
  keep: boolean
  /** Whether this is the process in the namespace. */
  inside: boolean
}

/** Null: not understood. */
function optionsOf(argv: string[]): Options | null {
  try {
    const { values } = parseArgs({
      args: argv,
      options: {
        speed: { type: 'string', default: '100' },
        records: { type: 'string', default: '300000' },
        json: { type: 'boolean', default: false },
        keep: { type: 'boolean', default: false },
        inside: { type: 'boolean', default: false },
      },
    })
    const [speed, records] = [Number(values.speed), Number(values.records)]
    const isGood = speed >= 1 && speed <= 1000 && Number.isInteger(records) && records >= 1000
    return isGood ? { ...values, speed, records } : null
  } catch {
    return null
  }
}

/** Runs this again in a mount namespace; the kernel ends it with this process. */
async function enclose(): Promise<void> {
  const missing = programs.filter((name) => spawnSync('which', [name]).status !== 0)
  if (missing.length > 0) stop(`the day needs ${missing.join(', ')}; apt-get install has them\n`)
  if (process.getuid?.() !== 0) stop('the day mounts filesystems, and needs root: sudo npm run day\n')
  const again = [process.execPath, import.meta.filename, ...process.argv.slice(2), '--inside']
  const enclosed = ['--pdeathsig', 'KILL', 'unshare', '--mount', '--propagation', 'private', ...again]
  const [status] = (await once(spawn('setpriv', enclosed, { stdio: 'inherit' }), 'exit')) as [number | null]
  process.exitCode = status ?? 1
}

async function play({ speed, records, json, keep }: Options): Promise<void> {
  const day = planDay({ speed, records })
  const say = (text: string): void => void process.stderr.write(`day: ${text}\n`)
  const played = await playDay(day, { keep, say })
  process.stdout.write(json ? `${JSON.stringify(played, null, 2)}\n` : textOf(day, played))
  process.exitCode = played.problems.length === 0 ? 0 : 1
}

function stop(text: string): never {
  process.stderr.write(text)
  process.exit(2)
}
