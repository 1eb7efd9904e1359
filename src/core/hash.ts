/** SHA-256 as lower-case hex, of bytes or of text as UTF-8. */

import { hash } from 'node:crypto'

export function sha256(input: Uint8Array | string): string {
  return hash('sha256', input, 'hex')
}
