import test from 'ava'
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  unlinkSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { openInotify } from '../../src/adapters/inotify.ts'
import { openMemoryWatch, type MemoryWatch } from '../../src/adapters/memory-watch.ts'
import { watchContract } from './watch.ts'

watchContract(test, 'inotify', () => {
  const root = mkdtempSync(join(tmpdir(), 'gleaner-watch-'))
  return {
    open: () => openInotify({ root: 'lsf', path: root }),
    append(path) {
      mkdirSync(dirname(join(root, path)), { recursive: true })
      appendFileSync(join(root, path), 'line\n')
    },
    rename: (from, to) => renameSync(join(root, from), join(root, to)),
    remove: (path) => unlinkSync(join(root, path)),
    readAll() {
      for (const name of readdirSync(root, { recursive: true, encoding: 'utf8' })) {
        if (statSync(join(root, name)).isFile()) readFileSync(join(root, name))
      }
    },
    dispose: () => rmSync(root, { recursive: true, force: true }),
  }
})

watchContract(test, 'memory', () => {
  const opened: MemoryWatch[] = []
  const changed = (path: string) => {
    for (const watch of opened) watch.changed(path)
  }
  return {
    open() {
      const watch = openMemoryWatch()
      opened.push(watch)
      return watch
    },
    append: changed,
    rename(from, to) {
      changed(from)
      changed(to)
    },
    remove: changed,
    readAll: () => undefined,
    dispose: () => undefined,
  }
})
