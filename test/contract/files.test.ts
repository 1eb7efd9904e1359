import { appendFileSync, mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { openFiles } from '../../src/adapters/files.ts'
import { decodePath } from '../../src/core/path.ts'
import { type FilesWorld, filesContract } from './files.ts'

function world(t: ExecutionContext): FilesWorld {
  const top = mkdtempSync(join(tmpdir(), 'gleaner-files-'))
  const files = openFiles({ root: 'test', path: top, remote: 'auto', deadlineMs: 30_000 })
  t.teardown(async () => {
    if (!(await files.close())) throw new Error('the thread has not ended')
    rmSync(top, { recursive: true })
  })
  const place = (path: string) => Buffer.concat([Buffer.from(`${top}/`), decodePath(path)])
  return {
    files,
    write(path, bytes) {
      mkdirSync(Buffer.from(dirname(place(path).toString('latin1')), 'latin1'), { recursive: true })
      writeFileSync(place(path), bytes)
    },
    append: (path, bytes) => appendFileSync(place(path), bytes),
    truncate: (path, size) => truncateSync(place(path), size),
    remove: (path) => rmSync(place(path)),
  }
}

filesContract(test, 'kernel', world)
