/** What `query` and `tables` need beyond the rest: DuckDB, 70 MB that an installation which only collects may leave out. */

import { GleanerError, messageOf } from '../errors.ts'

const missingCodes = ['ERR_MODULE_NOT_FOUND', 'MODULE_NOT_FOUND']

/** Loads modules that import DuckDB. Throws `duckdb-missing` where it is not installed. */
export async function withDuckdb<T>(load: () => Promise<T>): Promise<T> {
  try {
    return await load()
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    if (!missingCodes.includes(code ?? '') || messageOf(cause)?.includes('@duckdb/') !== true) throw cause
    const message = 'SQL and tables need DuckDB, and it is not installed here'
    throw new GleanerError('duckdb-missing', { operation: 'load', subject: '@duckdb/node-api', message, cause })
  }
}
