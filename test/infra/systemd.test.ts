/** What the service tells systemd, on a real datagram socket; and the units, by systemd's own checker where it is there. */

import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { openSite } from '../support/gleaner.ts'
import { startGleaner, startProcess } from '../support/process.ts'

const listener = `
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print('listening', flush=True)
while True:
    print('|'.join(s.recv(4096).decode().split('\\n')), flush=True)
`

test('ready, alive, reloading and stopping reach the service manager, in that order', async (t) => {
  const site = await openSite()
  const socket = join(site.dir, 'notify')
  const heard = startProcess('python3', ['-c', listener, socket], { log: join(site.dir, 'heard') })
  await heard.said('listening')
  const env = { NOTIFY_SOCKET: socket, WATCHDOG_USEC: '600000' }
  const running = startGleaner(['--config', site.config, 'run'], { log: join(site.dir, 'run'), env })
  for (const state of ['READY=1', 'WATCHDOG=1']) await heard.said(state)
  running.kill('SIGHUP')
  await heard.said('RELOADING=1|MONOTONIC_USEC=')
  await running.said('configuration applied')
  running.kill('SIGTERM')
  t.is(await running.ended, 0)
  await heard.said('STOPPING=1')
  const states = (await heard.stdout()).split('\n').map((line) => line.split('=')[0])
  const told = states.filter((state, at) => state !== 'WATCHDOG' && state !== '' && state !== states[at - 1])
  t.deepEqual(told, ['listening', 'READY', 'RELOADING', 'READY', 'STOPPING'])
  heard.kill('SIGKILL')
  await site.close()
})

test('nobody listens: the collector runs all the same', async (t) => {
  const site = await openSite()
  const env = { NOTIFY_SOCKET: join(site.dir, 'nobody'), WATCHDOG_USEC: '600000' }
  const running = startGleaner(['--config', site.config, 'run'], { log: join(site.dir, 'run'), env })
  await running.said('"running"')
  running.kill('SIGTERM')
  t.is(await running.ended, 0)
  await site.close()
})

const units = fileURLToPath(new URL('../../infra/systemd/', import.meta.url))

test('a secret that is not there keeps no service from starting', (t) => {
  for (const name of readdirSync(units).filter((one) => one.endsWith('.service'))) {
    const text = readFileSync(join(units, name), 'utf8')
    const loaded = [...text.matchAll(/^LoadCredential=([a-z0-9-]+):/gm)].map(([, secret]) => secret)
    t.deepEqual(loaded, ['redis-password', 'ed25519'], name)
    for (const secret of loaded) t.regex(text, new RegExp(`^SetCredential=${secret}:.`, 'm'), name)
  }
})

const analyze = existsSync('/usr/bin/systemd-analyze') ? test : test.skip

analyze('systemd understands every line of the units', (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'gleaner-units-'))
  const node = process.execPath
  for (const name of readdirSync(units).filter((one) => /\.(service|timer)$/.test(one))) {
    // The checker wants programs that are there.
    const text = readFileSync(join(units, name), 'utf8').replaceAll('/opt/gleaner/node_modules/.bin/node', node)
    writeFileSync(join(dir, name), text.replaceAll('/opt/gleaner', dir))
  }
  const said = execFileSync('sh', ['-c', 'cd "$0" && systemd-analyze verify --man=no ./gleaner* 2>&1 || true', dir])
  t.is(
    said
      .toString()
      .split('\n')
      .filter((line) => line.includes(dir))
      .join('\n'),
    '',
  )
  rmSync(dir, { recursive: true })
})
