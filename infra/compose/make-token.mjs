// A random token in /run/gleaner/token, unless there is one.
import { randomBytes } from 'node:crypto'
import { existsSync, linkSync, rmSync, writeFileSync } from 'node:fs'

const file = '/run/gleaner/token'
if (!existsSync(file)) {
  // By a link, so that nobody reads half a token.
  rmSync(`${file}.new`, { force: true })
  writeFileSync(`${file}.new`, `${randomBytes(24).toString('hex')}\n`, { mode: 0o400 })
  linkSync(`${file}.new`, file)
  rmSync(`${file}.new`)
}
