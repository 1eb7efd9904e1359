/**
 * Packed rows of this process as a table function of DuckDB: it pulls them chunk by chunk into its own vectors, and from there straight into
 * a Parquet file. Appending them to a table first was measured to cost twice as much.
 */

import type { DuckDBConnection, DuckDBType } from '@duckdb/node-api'
import { DuckDBTableFunction } from '@duckdb/node-api'
import type { PackedColumn } from './packed-column.ts'
import { fillVector } from './vectors.ts'

export interface Given {
  columns: readonly { name: string; type: DuckDBType }[]
  chunks: readonly GivenChunk[]
}

/** One to 2048 rows, as many as a DuckDB vector has; as many columns as were told. */
export interface GivenChunk {
  count: number
  columns: readonly PackedColumn[]
}

/** Registers `name()`, which gives what `given` answers when a query of it begins. */
export function registerRows(connection: DuckDBConnection, name: string, given: () => Given): void {
  let { chunks } = given()
  let next = 0
  const scan = DuckDBTableFunction.create({
    name,
    parameterTypes: [],
    bindFunction(info) {
      const { columns, chunks: bound } = given()
      for (const column of columns) info.addResultColumn(column.name, column.type)
      info.setCardinality(
        bound.reduce((sum, { count }) => sum + count, 0),
        true,
      )
    },
    initFunction(info) {
      info.setMaxThreads(1)
      chunks = given().chunks
      next = 0
    },
    mainFunction(_info, output) {
      const chunk = chunks[next++]
      output.rowCount = chunk?.count ?? 0
      if (chunk === undefined) return
      for (const [index, column] of chunk.columns.entries())
        fillVector(output.chunk, index, { column, count: chunk.count })
    },
  })
  connection.registerTableFunction(scan)
}
