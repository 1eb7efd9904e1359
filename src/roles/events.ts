/**
 * The status as server-sent events: one snapshot a second, computed once for all who watch, and only while somebody does.
 *
 *   clients   at most 32; further ones are refused
 *   queue     one snapshot for each client. While it is not taken, later ones pass the client by; after 5 of them the connection is cut
 *   silence   every second's snapshot is the heartbeat: a page that hears none for some seconds says so, and connects again
 */

import type { ServerResponse } from 'node:http'

export interface Events {
  /** Streams to this client until it goes. False: there are as many as there may be; nothing was sent. */
  add(response: ServerResponse): boolean
  readonly watching: number
  /** Ends all streams. */
  close(): void
}

export const watchersMax = 32
const passedMax = 5
const everyMs = 1000

export function openEvents(read: () => object, headers: Record<string, string>): Events {
  const clients = new Map<ServerResponse, { passed: number }>()
  let timer: NodeJS.Timeout | null = null
  let latest = ''

  const compute = (): void => {
    latest = `data: ${JSON.stringify(read())}\n\n`
  }
  const tick = (): void => {
    compute()
    for (const [response, client] of clients) {
      if (!response.writableNeedDrain) {
        client.passed = 0
        response.write(latest)
      } else if (++client.passed > passedMax) response.destroy()
    }
  }
  const remove = (response: ServerResponse): void => {
    clients.delete(response)
    if (clients.size > 0 || timer === null) return
    clearInterval(timer)
    timer = null
  }

  return {
    add(response) {
      if (clients.size >= watchersMax) return false
      if (timer === null) {
        compute()
        timer = setInterval(tick, everyMs).unref()
      }
      response.writeHead(200, { ...headers, 'content-type': 'text/event-stream', 'x-accel-buffering': 'no' })
      response.write(`retry: 2000\n${latest}`)
      clients.set(response, { passed: 0 })
      response.once('close', () => remove(response))
      return true
    },
    get watching() {
      return clients.size
    },
    close() {
      for (const response of clients.keys()) response.destroy()
    },
  }
}
