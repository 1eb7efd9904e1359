/** NDJSON to stdout, some lines at a time: a write per line would cost more than the line. */

import type { App } from './app.ts'

const chunkBytes = 64 * 1024

export interface Lines {
  /** Resolves false when the reader is gone: stop then. */
  put(line: string): Promise<boolean>
  flush(): Promise<boolean>
}

export function openLines(app: Pick<App, 'write'>): Lines {
  let waiting: string[] = []
  let length = 0
  const flush = async (): Promise<boolean> => {
    const text = waiting.join('')
    waiting = []
    length = 0
    return text === '' || app.write(text)
  }
  return {
    async put(line) {
      waiting.push(`${line}\n`)
      length += line.length + 1
      return length < chunkBytes || flush()
    },
    flush,
  }
}
