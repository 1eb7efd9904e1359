import { execFileSync, spawn } from 'node:child_process'
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Client } from 'pg'
import { freePort } from './redis.ts'

export interface Postgres {
  /** For clients: PGHOST, PGPORT, PGUSER, PGDATABASE. */
  env: Record<string, string>
  query(text: string): Promise<Record<string, unknown>[]>
  stop(): Promise<void>
}

/**
 * Starts a real PostgreSQL on 127.0.0.1 in a directory of its own, and waits until it answers. It refuses to run as root, so root starts it as
 * the user `postgres` that Debian's package makes.
 */
export async function startPostgres(): Promise<Postgres> {
  const bin = postgresBin()
  const dir = mkdtempSync(join(tmpdir(), 'gleaner-postgres-'))
  const owner = ownerOf(dir)
  const data = join(dir, 'data')
  execFileSync(join(bin, 'initdb'), ['-D', data, '-U', 'test', '--auth=trust', '--no-sync', '-E', 'UTF8'], { ...owner })
  const port = await freePort()
  const settings = ['fsync=off', 'listen_addresses=127.0.0.1', `unix_socket_directories=${dir}`]
  const args = ['-D', data, '-p', String(port), ...settings.flatMap((setting) => ['-c', setting])]
  const server = spawn(join(bin, 'postgres'), args, { stdio: 'ignore', ...owner })
  const ended = new Promise<void>((resolve) => server.once('exit', () => resolve()))
  const kill = (): void => void server.kill('SIGKILL')
  process.once('exit', kill)
  const env = { PGHOST: '127.0.0.1', PGPORT: String(port), PGUSER: 'test', PGDATABASE: 'postgres' }
  const query: Postgres['query'] = async (text) => {
    const client = new Client({ host: '127.0.0.1', port, user: 'test', database: 'postgres' })
    try {
      await client.connect()
      return (await client.query<Record<string, unknown>>(text)).rows
    } finally {
      await client.end()
    }
  }
  await answers(query)
  return {
    env,
    query,
    async stop() {
      process.off('exit', kill)
      server.kill('SIGQUIT')
      await ended
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

/** Where the server's programs are; null where it is not installed. */
export function findPostgres(): string | null {
  const base = '/usr/lib/postgresql'
  const versions = existsSync(base) ? readdirSync(base) : []
  const newest = versions.sort((a, b) => Number(b) - Number(a)).find((one) => existsSync(join(base, one, 'bin/initdb')))
  return newest === undefined ? null : join(base, newest, 'bin')
}

function postgresBin(): string {
  const bin = findPostgres()
  if (bin === null) throw new Error('no PostgreSQL server here: apt-get install postgresql')
  return bin
}

function ownerOf(dir: string): { uid?: number; gid?: number } {
  if (process.getuid?.() !== 0) return {}
  const id = (flag: string): number => Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }))
  const owner = { uid: id('-u'), gid: id('-g') }
  chownSync(dir, owner.uid, owner.gid)
  return owner
}

async function answers(query: Postgres['query']): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      await query('select 1')
      return
    } catch (error) {
      if (attempt >= 100) throw error
      await delay(100)
    }
  }
}
