import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const script = fileURLToPath(new URL('../../src/archive/verify.py', import.meta.url))

export interface Checked {
  status: number
  stdout: string
  stderr: string
}

/** Runs verify.py with Python 3: the one of the source tree, or one that lies in an archive. */
export function verifyPy(args: string[], file = script): Promise<Checked> {
  return new Promise((resolve) => {
    execFile('python3', [file, ...args], { maxBuffer: 1 << 26 }, (error, stdout, stderr) =>
      resolve({ status: error ? Number(error.code ?? -1) : 0, stdout, stderr }),
    )
  })
}
