/**
 * What runs on a machine of the lab's own: it starts processes there and answers for their files, one JSON object per POST, `{do, ...}`.
 *
 *   spawn   {command, args, env, log}   → {id}; its output goes to `<log>.out` and `<log>.err`, closed after each piece, since only then the host sees it
 *   ended   {id}                        → {status}: its exit status or the signal that ended it; null while it runs, after some seconds
 *   kill    {id, signal}
 *   get     {url}                       → {text}
 *   files   {directory}                 → {files}: name → base64
 *   write   {file, text}
 *
 * What fails is answered with 500 and its message.
 */

import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync, mkdirSync } from 'node:fs'
import { createServer } from 'node:http'
import { json } from 'node:stream/consumers'
import { setTimeout as delay } from 'node:timers/promises'
import { filesOf, writeText } from '../files.ts'
import type { Request } from './request.ts'
import { agentPort } from './request.ts'

const waitMs = 10_000
const children: { process: ChildProcess; ended: Promise<number | NodeJS.Signals> }[] = []

createServer((request, response) => {
  const answer = json(request).then((asked) => answerTo(asked as Request))
  answer.then(
    (body) => response.end(JSON.stringify(body)),
    (error: unknown) => response.writeHead(500).end(String(error)),
  )
}).listen(agentPort, '0.0.0.0', () => process.stdout.write('agent is up\n'))

async function answerTo(request: Request): Promise<unknown> {
  switch (request.do) {
    case 'spawn':
      return { id: start(request) }
    case 'ended':
      return { status: (await Promise.race([children[request.id]?.ended, delay(waitMs)])) ?? null }
    case 'kill':
      return { killed: children[request.id]?.process.kill(request.signal) ?? false }
    case 'get':
      return { text: await (await fetch(request.url, { signal: AbortSignal.timeout(5000) })).text() }
    case 'files':
      return {
        files: Object.fromEntries([...filesOf(request.directory)].map(([name, one]) => [name, one.toString('base64')])),
      }
    case 'write':
      writeText(request.file, request.text)
      return {}
  }
}

function start({ command, args, env, log }: Extract<Request, { do: 'spawn' }>): number {
  mkdirSync('/run/tmp', { recursive: true })
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } })
  for (const [stream, file] of [
    [child.stdout, `${log}.out`],
    [child.stderr, `${log}.err`],
  ] as const)
    stream.on('data', (data: Buffer) => appendFileSync(file, data))
  // When both its output and itself have ended.
  const ended = once(child, 'close').then(
    ([code, signal]: unknown[]) => (code as number | null) ?? (signal as NodeJS.Signals),
  )
  return children.push({ process: child, ended }) - 1
}
