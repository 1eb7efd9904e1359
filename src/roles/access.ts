/**
 * Who may see the page, the events and the metrics.
 *
 *   no token    it listens on loopback alone (the configuration sees to it). A web page elsewhere can make a browser here ask under a name of
 *               its own that it points to 127.0.0.1, so only the names of loopback, and `serve.host`, are answered
 *   token       programs send `Authorization: Bearer TOKEN`. A browser sends it once, to /session, and gets a cookie that scripts
 *               cannot read and that other sites cannot make it send. The cookie holds a digest: the token itself is in no URL, no history, no log
 *
 * Hashes are compared, which are of one length, so that the time tells nothing about the token.
 */

import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'

export interface Access {
  /** `host`: another name than this server's. `token`: neither token nor cookie. */
  refuses(headers: IncomingHttpHeaders): 'host' | 'token' | null
  /** A `set-cookie` for whoever sends the token itself; null for others, and where there is no token. */
  session(headers: IncomingHttpHeaders): string | null
}

const cookieName = 'gleaner'
const loopback = new Set(['localhost', '127.0.0.1', '[::1]'])

export function openAccess({ host, token }: { host: string; token?: string | undefined }): Access {
  const names = new Set([...loopback, host.includes(':') ? `[${host.toLowerCase()}]` : host.toLowerCase()])
  const cookie =
    token === undefined ? '' : createHmac('sha256', token).update('gleaner page session').digest('base64url')
  const bears = ({ authorization }: IncomingHttpHeaders): boolean => {
    const given = /^Bearer (\S+)$/i.exec(authorization ?? '')?.[1]
    return token !== undefined && given !== undefined && isEqual(given, token)
  }
  const knows = (headers: IncomingHttpHeaders): boolean => {
    const given = cookieOf(headers)
    return given !== null && isEqual(given, cookie)
  }
  return {
    refuses(headers) {
      if (token === undefined) return names.has(nameOf(headers.host ?? '')) ? null : 'host'
      return bears(headers) || knows(headers) ? null : 'token'
    },
    session: (headers) => (bears(headers) ? `${cookieName}=${cookie}; Path=/; HttpOnly; SameSite=Strict` : null),
  }
}

/** `Host` without its port. */
function nameOf(host: string): string {
  return host.toLowerCase().replace(/:\d+$/, '')
}

function cookieOf({ cookie }: IncomingHttpHeaders): string | null {
  const parts = (cookie ?? '').split(';').map((part) => part.trim())
  return parts.find((part) => part.startsWith(`${cookieName}=`))?.slice(cookieName.length + 1) ?? null
}

function isEqual(given: string, expected: string): boolean {
  return timingSafeEqual(hash(given), hash(expected))
}

function hash(value: string): Buffer {
  return createHash('sha256').update(value).digest()
}
