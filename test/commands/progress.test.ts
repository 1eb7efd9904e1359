/** What a person sees while a command runs: a line on a terminal, redrawn and removed; lines in a log. */

import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { appendFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { openSite } from '../support/gleaner.ts'
import type { Site } from '../support/gleaner.ts'

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url))
const line =
  /archived [\d.]+ [KM]iB of [\d.]+ MiB, [\d.]+ [KM]iB left, [\d.]+ [KM]?i?B\/s, (\d+ min )?\d+ s to go; \d+ segments?/

/** Lines that hardly compress: what is sent is bounded, not what is read. */
async function bigSite(): Promise<Site> {
  const site = await openSite()
  for (let file = 0; file < 24; file++) {
    const lines = Array.from({ length: 10_000 }, () => randomBytes(75).toString('base64'))
    await appendFile(join(site.logs, `file-${file}`), `${lines.join('\n')}\n`)
  }
  return site
}

/** So slow that there is something to see. */
const slow = ['reconcile', '--bwlimit', '6MiB']

test('a terminal: one line, redrawn, and nothing left of it at the end', async (t) => {
  const site = await bigSite()
  t.teardown(() => site.close())
  const command = [process.execPath, main, '--config', site.config, ...slow].join(' ')
  const child = spawn('script', ['-qec', `stty cols 200; exec ${command}`, '/dev/null'], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, NODE_OPTIONS: '' },
  })
  let seen = ''
  child.stdout.on('data', (piece: Buffer) => (seen += piece.toString()))
  const [code] = (await once(child, 'close')) as [number]
  t.is(code, 0, seen)
  const drawn = seen.split('\r\u001b[K')
  t.true(drawn.filter((one) => line.test(one)).length > 0, seen)
  t.true(
    drawn.slice(0, -1).every((one) => !one.includes('\n')),
    'no line but the last one ends',
  )
  t.regex(drawn.at(-1) ?? '', /^24 files looked at; archived [\d.]+ MiB/)
})

test('a log: a line each interval, on stderr alone', async (t) => {
  const site = await bigSite()
  t.teardown(() => site.close())
  const child = spawn(process.execPath, [main, '--config', site.config, '--json', ...slow], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, NODE_OPTIONS: '', GLEANER_PROGRESS_EVERY: '200ms' },
  })
  let [stdout, stderr] = ['', '']
  child.stdout.on('data', (piece: Buffer) => (stdout += piece.toString()))
  child.stderr.on('data', (piece: Buffer) => (stderr += piece.toString()))
  const [code] = (await once(child, 'close')) as [number]
  t.is(code, 0, stderr)
  t.is((JSON.parse(stdout) as { files: number }).files, 24)
  const lines = stderr.trimEnd().split('\n')
  t.true(
    lines.some((one) => line.test(one)),
    stderr,
  )
  t.true(lines.every((one) => !one.includes('\u001b')))
})
