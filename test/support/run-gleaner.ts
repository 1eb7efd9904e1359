import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

export interface Ran {
  status: number | null
  stdout: Buffer
  stderr: string
}

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url))

/** The program with bytes on stdin and bytes on stdout. */
export async function runGleaner(
  args: string[],
  { cwd, input = '', program = main }: { cwd?: string; input?: string | Buffer | Buffer[]; program?: string } = {},
): Promise<Ran> {
  const env = { ...process.env, NODE_OPTIONS: '' }
  const child = spawn(process.execPath, [program, ...args], { ...(cwd === undefined ? {} : { cwd }), env })
  const stdout: Buffer[] = []
  let stderr = ''
  child.stdout.on('data', (piece: Buffer) => stdout.push(piece))
  child.stderr.on('data', (piece: Buffer) => (stderr += piece.toString()))
  child.stdin.on('error', () => undefined)
  for (const piece of Array.isArray(input) ? input : [input]) child.stdin.write(piece)
  child.stdin.end()
  const [status] = (await once(child, 'close')) as [number | null]
  return { status, stdout: Buffer.concat(stdout), stderr }
}

/** The lines of NDJSON. */
export function ndjson(text: string | Buffer): Record<string, unknown>[] {
  const whole = text.toString()
  return whole === ''
    ? []
    : whole
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as Record<string, unknown>)
}
