import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Client } from './redis-connection.ts'
import { isReply } from './redis-errors.ts'

/** The Lua scripts beside this file, each with its KEYS, ARGV and result in its head comment. */
export const scripts = {
  publish: script('publish'),
  begin: script('begin'),
  open: script('open'),
  positionIfAbsent: script('position-if-absent'),
  raiseFloor: script('raise-floor'),
  lease: script('lease'),
  release: script('release'),
  reconcilers: script('reconcilers'),
  lags: script('lags'),
}

export interface Script {
  lua: string
  sha1: string
}

/**
 * Runs a script by its SHA-1, or by its text where the server does not know it yet (a new server, a failover, SCRIPT
 * FLUSH). The arguments are one array, not spread: a batch can have some 100,000, more than a JavaScript call takes.
 */
export async function runScript(
  client: Client,
  { lua, sha1 }: Script,
  { keys, args }: { keys: string[]; args: (string | Buffer)[] },
): Promise<unknown> {
  const rest = [String(keys.length), ...keys].concat(args as string[])
  try {
    return await client.call('evalsha', [sha1, ...rest])
  } catch (error) {
    if (!isReply(error, 'NOSCRIPT')) throw error
    return await client.call('eval', [lua, ...rest])
  }
}

function script(name: string): Script {
  const lua = readFileSync(new URL(`./lua/${name}.lua`, import.meta.url), 'utf8')
  return { lua, sha1: createHash('sha1').update(lua).digest('hex') }
}
