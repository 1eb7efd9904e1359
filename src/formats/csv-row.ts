/** The fields of one row of CSV. Quotes that are not as RFC 4180 has them stay in the field, as they are written. */

export function fieldsOfRow(row: string, separator: string): { fields: string[]; ok: boolean } {
  if (!row.includes('"')) return { fields: row.split(separator), ok: true }
  const fields: string[] = []
  let ok = true
  for (let at = 0; at <= row.length; ) {
    const quoted = row[at] === '"' ? quotedField(row, at, separator) : null
    if (row[at] === '"' && quoted === null) ok = false
    const end = quoted?.end ?? endOfBare(row, at, separator)
    fields.push(quoted?.field ?? row.slice(at, end))
    at = end + separator.length
  }
  return { fields, ok }
}

function endOfBare(row: string, from: number, separator: string): number {
  const end = row.indexOf(separator, from)
  return end < 0 ? row.length : end
}

/** The field whose quote opens at `open`, and where it ends; null where no quote closes it before a separator or the row's end. */
function quotedField(row: string, open: number, separator: string): { field: string; end: number } | null {
  for (let at = row.indexOf('"', open + 1); at >= 0; at = row.indexOf('"', at + 2)) {
    if (row[at + 1] === '"') continue
    const end = at + 1
    if (end < row.length && !row.startsWith(separator, end)) return null
    return { field: row.slice(open + 1, at).replaceAll('""', '"'), end }
  }
  return null
}
