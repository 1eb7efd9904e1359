/** SQL of users, asked of a locked database: one SELECT at a time, its rows as JSON values. */

import type { DuckDBResult, DuckDBValue, Json } from '@duckdb/node-api'
import { StatementType } from '@duckdb/node-api'
import { GleanerError, isGleanerError } from '../errors.ts'
import type { Duck } from './duckdb.ts'
import { literal } from './duckdb.ts'
import { jsonOf } from './results.ts'

/** Parameters by name: `$user` in SQL is `user` here. */
export type Values = Record<string, DuckDBValue>

export interface Answers {
  /** One SELECT; its rows as JSON values (results.ts), chunk by chunk. Throws `query-failed`, `table-missing`. */
  stream(sql: string, values?: Values): Promise<Rows>
  /** The same, all rows at once, by column. */
  rows(sql: string, values?: Values): Promise<Record<string, Json>[]>
  /** Writes the rows of one SELECT into a Parquet file in a private directory, gone with the session; gives its path. */
  parquet(sql: string, values?: Values): Promise<string>
}

export interface Rows {
  names: string[]
  /** Some rows at a time, in columns' order. Throws as `stream` does. */
  chunks: AsyncIterable<Json[][]>
}

/** `check` throws `table-missing` where a file that the views read is gone: asked when a query fails, since that may be why. */
export function openAnswers({ connection, directory }: Duck, check: () => Promise<unknown>): Answers {
  const asked = <T>(ask: () => Promise<T>): Promise<T> =>
    askedDuck(async () => {
      try {
        return await ask()
      } catch (error) {
        await check()
        throw error
      }
    })
  const rowsOf = (result: DuckDBResult): Rows => {
    const types = result.columnTypes()
    async function* chunks(): AsyncGenerator<Json[][]> {
      for (;;) {
        const chunk = await asked(() => result.fetchChunk())
        if (chunk === null || chunk.rowCount === 0) return
        yield chunk.getRows().map((row) => row.map((value, at) => jsonOf(value, types[at])))
      }
    }
    return { names: result.deduplicatedColumnNames(), chunks: chunks() }
  }
  return {
    stream: (sql, values = {}) =>
      asked(async () => {
        await prepareSelect(connection, sql)
        return rowsOf(await connection.stream(sql, values))
      }),
    rows: (sql, values = {}) =>
      asked(async () => {
        await prepareSelect(connection, sql)
        const read = await connection.runAndReadAll(sql, values)
        const [names, types] = [read.deduplicatedColumnNames(), read.columnTypes()]
        return read
          .getRows()
          .map((row) => Object.fromEntries(row.map((value, at) => [names[at] ?? '', jsonOf(value, types[at])])))
      }),
    parquet: (sql, values = {}) =>
      asked(async () => {
        await prepareSelect(connection, sql)
        const path = `${directory}/result.parquet`
        // One whole SELECT, as was checked: it ends where its text does.
        await connection.run(`CREATE OR REPLACE TEMP TABLE gleaner_result AS ${sql}`, values)
        await connection.run(`COPY gleaner_result TO ${literal(path)} (FORMAT parquet, COMPRESSION zstd)`)
        return path
      }),
  }
}

/** Refuses what is not one SELECT (or DESCRIBE, SUMMARIZE, SHOW, VALUES, FROM, which DuckDB counts as one). */
export async function prepareSelect(connection: Duck['connection'], sql: string): Promise<void> {
  const statements = await connection.extractStatements(sql)
  if (statements.count !== 1) throw refused(`expected one statement, found ${statements.count}`)
  const prepared = await statements.prepare(0)
  const { statementType } = prepared
  prepared.destroySync()
  if (statementType !== StatementType.SELECT)
    throw refused(
      `only SELECT is answered, not ${StatementType[statementType]}: tables and archive are not changed by SQL`,
    )
}

function refused(message: string): GleanerError {
  return new GleanerError('query-failed', { operation: 'query', subject: 'the archive', message })
}

/** What DuckDB throws → `query-failed`. */
export async function askedDuck<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask()
  } catch (cause) {
    if (isGleanerError(cause)) throw cause
    throw new GleanerError('query-failed', { operation: 'query', subject: 'the archive', cause })
  }
}
